"""What a request of an operator is about: a message as its channel knows it, and what was asked under the same id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store import routing
from shared.event_store.log_streams import read_stream


@dataclass(frozen=True, slots=True)
class KnownAs:
    """`external_id` is empty while a reply of ours has not been sent."""

    channel_id: UUID
    to: tuple[e.Address, ...]
    external_id: str
    thread_key: str
    is_ours: bool


def known_as(tx: Transaction, conversation_id: UUID, message_id: UUID) -> KnownAs | None:
    """Return how the channel knows a message or reply, None when it is not in this conversation."""
    found: KnownAs | None = None
    for recorded in read_stream(tx, conversation_id):
        match recorded.event:
            case e.MessageReceived() as message if message.message_id == message_id:
                found = _received(message)
            case e.MessageAdopted() as event if event.message.message_id == message_id:
                found = _received(event.message)
            case e.MessageMoved() as event if event.message_id == message_id:
                found = None
            case e.ReplyRequested() as event if event.reply_id == message_id:
                found = KnownAs(event.channel_id, event.to, "", event.thread_key, is_ours=True)
            case e.ReplySent() as event if found is not None and event.reply_id == message_id:
                found = replace(found, external_id=event.external_id)
    return found


def asked_before(tx: Transaction, conversation_id: UUID, id_: UUID) -> e.ReplyRequested | e.ActionRequested | None:
    """Return what was asked for in a conversation under an id, None when nothing was.

    What a request leaves open is decided once: when it is repeated, the conversation may be another than it was.
    """
    if not routing.seen(tx, id_):
        return None
    events = (recorded.event for recorded in read_stream(tx, conversation_id))
    asked = (each for each in events if isinstance(each, e.ReplyRequested | e.ActionRequested))
    return next((each for each in asked if each.reply_id == id_), None)


def _received(message: e.MessageReceived) -> KnownAs:
    to = (message.reply_to or message.sender,)
    ours = message.direction == "outbound"
    return KnownAs(message.channel_id, to, message.external_id, message.thread_key, ours)
