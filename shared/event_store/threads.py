"""Merges conversations and takes them apart again: the clients' messages move, and with them what leads there.

What we have said stays where it was said, since its fate is told there; it is shown in the conversation that goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.merge import root_of
from shared.event_store.log import read_stream
from shared.event_store.mapper import About
from shared.event_store.moving import Stay, move_all, stays
from shared.event_store.routing import Wanted, look_up, merged_into
from shared.event_store.session import Session

MOST_MESSAGES = 500
"""Of a conversation that is merged: they move in one transaction."""
Thread = tuple[UUID, str]


def merge(session: Session, tx: Transaction, source: UUID, into: UUID, about: About) -> None:
    """Let a conversation go on in another one of the same customer and kind of channel. Raises Refused."""
    one, other = (session.conversation(id_).state for id_ in (source, into))
    if one.customer_id is None or other.customer_id is None:
        raise NoSuchThing("no_such_conversation", "There is no such conversation")
    if len({root_of(id_, lambda id_: merged_into(tx, id_)) for id_ in (one.customer_id, other.customer_id)}) == 2:
        raise Refused("other_customer", "The two belong to different customers: merge those first")
    if other.merged is not None:
        raise Refused("already_merged", f"The other one is merged itself, into {other.merged.into_id}")
    if _kind(tx, source) != _kind(tx, into):
        raise Refused("other_channel_kind", "The two are on different kinds of channel: an answer goes to one only")
    here = stays(session, tx, source)
    if len(here) > MOST_MESSAGES:
        raise Refused("too_many_messages", f"A conversation of more than {MOST_MESSAGES} messages cannot be merged")
    session.decide(source, c.MergeInto(into, other.customer_id, _threads(tx, source)), about)
    if here:
        move_all(session, tx, source, [stay.message.message_id for stay in here], into, about)


def unmerge(session: Session, tx: Transaction, source: UUID, about: About) -> None:
    """Let a conversation that was merged go on by itself, with its messages and what was said in it since.

    Raises Refused.
    """
    merged = session.conversation(source).state.merged
    if merged is not None and (further := session.conversation(merged.into_id).state.merged) is not None:
        raise Refused("merged_on", f"The other one is merged itself, into {further.into_id}: take that apart first")
    session.decide(source, c.GoOnAlone(), about)
    assert merged is not None
    there = stays(session, tx, merged.into_id)
    is_ours = _belongs(tx, source, merged, there)
    back = [stay.message.message_id for stay in there if is_ours(stay)]
    if back:
        move_all(session, tx, merged.into_id, back, source, about)


def _belongs(tx: Transaction, source: UUID, merged: e.ConversationMerged, there: list[Stay]) -> Callable[[Stay], bool]:
    """Return what tells a message of the conversation: it came from there, by its thread, or answers one that did."""
    came = [stay for stay in there if stay.came_from == source]
    known = {external_id for stay in came for external_id in stay.message.known_as}
    ours = (recorded.event for recorded in read_stream(tx, source))
    known |= {id_ for event in ours if isinstance(event, e.ReplySent) for id_ in (event.external_id, *event.known_as)}

    def belongs(stay: Stay) -> bool:
        if stay.came_from is not None:
            return stay.came_from == source
        message = stay.message
        by_thread = bool(message.thread_key) and (message.channel_id, message.thread_key) in merged.threads
        return by_thread or not known.isdisjoint(message.refers_to)

    return belongs


def _kind(tx: Transaction, conversation_id: UUID) -> str:
    opened = (r.event for r in read_stream(tx, conversation_id) if isinstance(r.event, e.ConversationOpened))
    return next((event.channel_kind for event in opened), "")


def _threads(tx: Transaction, conversation_id: UUID) -> tuple[Thread, ...]:
    """Return the provider's threads that lead to a conversation now."""
    keys: dict[Thread, None] = {}
    for recorded in read_stream(tx, conversation_id):
        match recorded.event:
            case e.ConversationOpened() | e.MessageReceived() as event if event.thread_key:
                keys[event.channel_id, event.thread_key] = None
            case e.MessageAdopted() as event if event.message.thread_key:
                keys[event.message.channel_id, event.message.thread_key] = None
            case e.ThreadRenamed() as event if event.now:
                keys[event.channel_id, event.now] = None
    found = look_up(tx, Wanted((), (), (), list(keys))).threads
    return tuple(key for key in keys if key in found and found[key].conversation_id == conversation_id)
