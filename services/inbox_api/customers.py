"""Customers and their timelines, now and at any past moment."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.cards import card
from services.inbox_api.channel_names import Body, with_channels
from services.inbox_api.context import Call, answer, listed, time_of
from services.inbox_api.past import timeline_as_of
from shared.clock import from_text
from shared.database.protocol import Transaction
from shared.read_models import customers, timeline


async def list_(call: Call) -> Response:
    limit = call.limit()
    items = await call.context.database.read(partial(customers.page, before=call.cursor(), limit=limit))
    return listed(items, limit)


async def one(call: Call) -> Response:
    found = await call.context.database.read(partial(customers.customer, customer_id=call.id()))
    if found is None:
        raise HTTPException(404)
    return answer(found | {"card": await card(call, UUID(found["id"]))})


async def timeline_(call: Call) -> Response:
    """GET /customers/{id}/timeline?as_of=TIME&order=asc|desc, oldest first unless asked otherwise."""
    page = timeline.Page(call.limit(), call.cursor(), call.descending())
    as_of = call.request.query_params.get("as_of")
    if as_of:
        at = from_text(time_of(as_of, "as_of"))
        job = partial(timeline_as_of, customer_id=call.id(), at=at, page=page)
    else:
        job = partial(_timeline, customer_id=call.id(), page=page)
    items = await call.context.database.read(job)
    if not items and not await call.context.database.read(partial(customers.customer, customer_id=call.id())):
        raise HTTPException(404)
    return listed(items, page.limit)


def _timeline(tx: Transaction, customer_id: UUID, page: timeline.Page) -> list[Body]:
    return with_channels(tx, timeline.of_customer(tx, customer_id, page))
