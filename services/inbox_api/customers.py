"""Customers, now and at any past moment."""

from __future__ import annotations

from functools import partial

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api import moments, past
from services.inbox_api.context import Call, answer, listed
from shared.read_models import customers


async def list_(call: Call) -> Response:
    limit = call.limit()
    items = await call.context.database.read(partial(customers.page, before=call.cursor(), limit=limit))
    return listed(items, limit)


async def one(call: Call) -> Response:
    """GET /customers/{id}?as_of=&by=, now or as it stood."""
    then = moments.as_of(call)
    if then is None:
        job = partial(customers.customer, customer_id=call.id())
    else:
        job = partial(past.customer, customer_id=call.id(), at=then.at, by=then.by)
    found = await call.context.database.read(job)
    if found is None:
        raise HTTPException(404)
    return answer(found)
