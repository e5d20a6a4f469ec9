"""Customers, now and at any past moment."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api import cards, moments, past
from services.inbox_api.context import Call, answer, listed
from shared.database.protocol import Transaction
from shared.read_models import customers
from shared.read_models.entries import Body


async def list_(call: Call) -> Response:
    limit = call.limit()
    items = await call.context.database.read(partial(customers.page, before=call.cursor(), limit=limit))
    return listed(items, limit)


async def one(call: Call) -> Response:
    """GET /customers/{id}?as_of=&by=, now or as it stood."""
    then = moments.as_of(call)
    if then is None:
        job = partial(_customer, customer_id=call.id())
    else:
        job = partial(past.customer, customer_id=call.id(), at=then.at, by=then.by)
    found = await call.context.database.read(job)
    if found is None:
        raise HTTPException(404)
    return answer(found | {"card": await cards.named(call, found["card"])})


def _customer(tx: Transaction, customer_id: UUID) -> Body | None:
    found = customers.customer(tx, customer_id)
    return None if found is None else found | {"card": cards.card_in(tx, UUID(found["id"]))}
