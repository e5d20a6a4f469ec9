"""What could not be understood: the list, and trying again."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.channel_names import Body, with_channels
from services.inbox_api.context import Call, answer, listed
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.read_models import quarantine


async def list_(call: Call) -> Response:
    limit = call.limit()
    return listed(await call.context.database.read(partial(_page, before=call.cursor(), limit=limit)), limit)


async def retry(call: Call) -> Response:
    handled = await call.context.store.handle_quarantine(call.id(), c.RetryQuarantined(), call.actor)
    await call.context.views.reach(handled.position)
    found = await call.context.database.read(partial(_one, item_id=call.id()))
    if found is None:
        raise HTTPException(404)
    return answer(found, 202)


def _one(tx: Transaction, item_id: UUID) -> Body | None:
    found = quarantine.item(tx, item_id)
    return with_channels(tx, [found])[0] if found else None


def _page(tx: Transaction, before: int | None, limit: int) -> list[Body]:
    return with_channels(tx, quarantine.page(tx, before, limit))
