"""Who listens to a recording is recorded before a byte of it is given; a player's many requests are one listening."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import uuid5

from starlette.responses import Response

from services.inbox_api.context import Call, listed
from shared.database.protocol import Transaction
from shared.domain.events import RecordingHeard
from shared.event_store.log_streams import read_stream
from shared.event_store.mapper import About, Happening
from shared.event_store.session import Session
from shared.read_models import heard
from shared.read_models.heard import Recording

ONE_LISTENING = timedelta(minutes=10)


async def note(call: Call, recording: Recording) -> None:
    """Return once it is durable that this operator listens."""
    await call.context.store.record(partial(_decide, recording=recording, about=call.about()))


async def list_(call: Call) -> Response:
    """GET /recordings/heard?message_id=: who has listened to what, the last one first; for admins."""
    call.only_admins("only admins see who has listened to a recording")
    limit = call.limit()
    page = partial(heard.page, message_id=call.query_id("message_id"), before=call.cursor(), limit=limit)
    return listed(await call.context.database.read(page), limit)


def _decide(session: Session, tx: Transaction, recording: Recording, about: About) -> None:
    stream_id = uuid5(recording.attachment_id, "heard")
    past = read_stream(tx, stream_id)
    if any(each.actor.id == about.actor.id and about.occurred_at - each.occurred_at < ONE_LISTENING for each in past):
        return
    event = RecordingHeard(recording.attachment_id, recording.message_id, recording.customer_id, recording.name)
    session.append(stream_id, len(past) + 1, Happening(event, about))
