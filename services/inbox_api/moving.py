"""Moving a client's message to another conversation, when it was put into the wrong one."""

from __future__ import annotations

from uuid import UUID

import msgspec
from starlette.responses import Response

from services.inbox_api.context import Call, answer
from services.inbox_api.conversations import one_conversation
from shared.clock import now
from shared.database.protocol import Transaction
from shared.domain.events import Actor
from shared.event_store.mapper import About
from shared.event_store.moving import move as move_message
from shared.event_store.session import Session


class MoveTo(msgspec.Struct):
    to: UUID | None
    """A conversation; null: a new one."""


async def move(call: Call) -> Response:
    """POST /conversations/{id}/messages/{message_id}/move {to}: answers with the conversation it is in now."""
    asked = await call.body(MoveTo)
    wanted = (call.id(), call.id("message_id"), asked.to)
    about = About(now(), Actor("operator", str(call.operator.id), call.operator.name))
    place: list[UUID] = []

    def decide(session: Session, tx: Transaction) -> None:
        place[:] = [move_message(session, tx, wanted, about)]

    handled = await call.context.store.record(decide)
    await call.context.views.reach(handled.position)
    return answer(await one_conversation(call, place[0]))
