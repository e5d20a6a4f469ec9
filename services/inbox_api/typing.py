"""POST /conversations/{id}/typing: the client sees that somebody is writing, where the channel can show it."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from starlette.responses import Response

from services.inbox_api.abilities import abilities_of
from services.inbox_api.context import Call
from shared.database.protocol import Transaction
from shared.registry.channels import channel_names
from shared.registry.typing import Typing, Writing


async def tell(call: Call) -> Response:
    """Answer 204 whether or not it can be shown. The window repeats it every few seconds while somebody writes."""
    state = await call.context.store.conversation(call.id())
    target = state.answerable
    if target is not None and target.thread_key and not state.unreachable:
        kind = await call.context.database.read(partial(_kind, channel_id=target.channel_id), brief=True)
        if abilities_of(kind)["typing"]:
            await Typing(call.context.database).tell(Writing(call.id(), target.channel_id, target.thread_key))
    return Response(status_code=204)


def _kind(tx: Transaction, channel_id: UUID) -> str:
    return channel_names(tx).get(str(channel_id), ("", ""))[0]
