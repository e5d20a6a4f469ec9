"""Finds the message that an item speaks of: one we received or one we sent, by the id the channel has for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

from shared.contracts.inbound import InboundMessage, inbound_id
from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store.log_streams import read_stream
from shared.event_store.routing import Wanted, conversation_of, look_up
from shared.event_store.routing_entries import Place
from shared.event_store.session import Session
from shared.values import dataclass

_SIGNS = re.compile(r"[\W_]+")
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Target:
    """A message in its conversation; `attempt` of a reply that was sent."""

    place: Place
    message_id: UUID
    is_reply: bool
    attempt: int = 1


def is_global(external_id: str) -> bool:
    """Whether an id means the same on every channel: a Message-ID does (RFC 5322, 3.6.4), a chat's number does not."""
    return "@" in external_id


def find(session: Session, tx: Transaction, item: InboundMessage, external_id: str) -> Target | None:
    """Return the message an item means by an external id, None when we have none of that id."""
    own_id = inbound_id(item.channel_id, external_id)
    conversation = session.entries.seen.get(own_id) or conversation_of(tx, own_id)
    if conversation is not None and (place := _place(session, conversation)):
        return Target(place, own_id, is_reply=False)
    for place in _places(session, tx, item.channel_id, external_id):
        for event in _events(session, tx, place.conversation_id):
            if found := _named(event, place, external_id):
                return found
    return _by_reply_id(session, tx, external_id)


def thread_of(session: Session, tx: Transaction, channel_id: UUID, key: str) -> Place | None:
    """Return the conversation that a thread of the provider is."""
    wanted = (channel_id, key)
    return session.entries.threads.get(wanted) or look_up(tx, Wanted((), (), (), (wanted,))).threads.get(wanted)


def under_way(session: Session, tx: Transaction, item: InboundMessage) -> Target | None:
    """Return the reply in an item's thread whose fate is not known yet and that says what the item says."""
    place = thread_of(session, tx, item.channel_id, item.thread_key) if item.thread_key else None
    if place is None:
        return None
    replies = session.conversation(place.conversation_id).state.replies
    waiting = {
        id_: reply for id_, reply in replies.items() if reply.state in ("queued", "unknown") and not reply.action
    }
    for event in _events(session, tx, place.conversation_id) if waiting else ():
        if isinstance(event, e.ReplyRequested) and event.reply_id in waiting and _says(item, event):
            return Target(place, event.reply_id, is_reply=True, attempt=waiting[event.reply_id].attempt)
    return None


def _says(item: InboundMessage, reply: e.ReplyRequested) -> bool:
    """A long reply is sent in parts, Markdown without its signs: letters and digits are compared."""
    echo, said = (_SIGNS.sub("", text).casefold() for text in (item.text, reply.text))
    return bool(echo) and echo in said if item.text.strip() else bool(reply.files)


def _place(session: Session, conversation_id: UUID) -> Place | None:
    customer_id = session.conversation(conversation_id).state.customer_id
    return Place(conversation_id, customer_id) if customer_id else None


def _places(session: Session, tx: Transaction, channel_id: UUID, external_id: str) -> list[Place]:
    stored = look_up(tx, Wanted((), (), (external_id,), ())).external.get(external_id, [])
    found = [*session.entries.external.get(external_id, ()), *stored]
    return [place for channel, place in found if channel == channel_id or is_global(external_id)]


def _events(session: Session, tx: Transaction, conversation_id: UUID) -> Iterator[e.Event]:
    """The newest first: what is spoken of was mostly said a moment ago."""
    yield from (happening.event for stream, _, happening in reversed(session.appended) if stream == conversation_id)
    yield from (recorded.event for recorded in reversed(read_stream(tx, conversation_id)))


def _named(event: e.Event, place: Place, external_id: str) -> Target | None:
    match event:
        case e.MessageReceived() if external_id in (event.external_id, *event.known_as):
            return Target(place, event.message_id, is_reply=False)
        case e.ReplySent() if external_id in (event.external_id, *event.known_as):
            return Target(place, event.reply_id, is_reply=True, attempt=event.attempt)
    return None


def _by_reply_id(session: Session, tx: Transaction, external_id: str) -> Target | None:
    """A Message-ID of ours is made from the reply's id: so a bounce finds a reply of which we never heard the fate."""
    for text in _UUID.findall(external_id):
        reply_id = UUID(text)
        conversation = session.entries.seen.get(reply_id) or conversation_of(tx, reply_id)
        if conversation is None or (place := _place(session, conversation)) is None:
            continue
        if reply := session.conversation(conversation).state.replies.get(reply_id):
            return Target(place, reply_id, is_reply=True, attempt=reply.attempt)
    return None
