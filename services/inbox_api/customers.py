"""Customers, now and at any past moment."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api import cards, moments, past
from services.inbox_api.channel_names import with_channels
from services.inbox_api.context import Call, answer, listed
from shared.database.protocol import Transaction
from shared.read_models import customers, reach
from shared.read_models.entries import Body


async def list_(call: Call) -> Response:
    limit = call.limit()
    return listed(await call.context.database.read(partial(_page, before=call.cursor(), limit=limit)), limit)


async def one(call: Call) -> Response:
    """GET /customers/{id}?as_of=&by=, now or as it stood."""
    then = moments.as_of(call)
    if then is None:
        job = partial(_customer, customer_id=call.id())
    else:
        job = partial(_past, customer_id=call.id(), then=then)
    found = await call.context.database.read(job)
    if found is None:
        raise HTTPException(404)
    return answer(found | {"card": await cards.named(call, found["card"])})


def current(tx: Transaction, customer_id: UUID) -> Body | None:
    """Return a customer as they are shown now, without the card."""
    found = customers.customer(tx, customer_id)
    return found and _named(tx, [reach.with_blocks(found, reach.blocks(tx, reach.members(found)))])[0]


def _customer(tx: Transaction, customer_id: UUID) -> Body | None:
    found = current(tx, customer_id)
    return found and found | {"card": cards.card_in(tx, UUID(found["id"]))}


def _past(tx: Transaction, customer_id: UUID, then: moments.AsOf) -> Body | None:
    found = past.customer(tx, customer_id, then.at, then.by)
    return None if found is None else _named(tx, [found])[0]


def _page(tx: Transaction, before: int | None, limit: int) -> list[Body]:
    found = customers.page(tx, before, limit)
    blocks = reach.blocks(tx, [id_ for each in found for id_ in reach.members(each)])
    return _named(tx, [reach.with_blocks(each, blocks) for each in found])


def _named(tx: Transaction, found: list[Body]) -> list[Body]:
    if blocks := list(reach.all_blocks(found)):
        with_channels(tx, blocks)
    return found
