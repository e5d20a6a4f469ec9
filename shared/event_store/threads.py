"""Merges conversations and takes them apart again: the clients' messages move, and with them what leads there.

What we have said stays where it was said, since its fate is told there; it is shown in the conversation that goes on.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.merge import root_of
from shared.event_store.log_streams import read_stream, read_streams
from shared.event_store.mapper import About
from shared.event_store.moving import Stay, move_back, stays
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
    if one.customer_id != other.customer_id:
        session.refuse_erased(other.customer_id)
    if other.merged is not None:
        raise Refused("already_merged", f"The other one is merged itself, into {other.merged.into_id}")
    if _kind(tx, source) != _kind(tx, into):
        raise Refused("other_channel_kind", "The two are on different kinds of channel: an answer goes to one only")
    here = stays(session, tx, source)
    if len(here) > MOST_MESSAGES:
        raise Refused("too_many_messages", f"A conversation of more than {MOST_MESSAGES} messages cannot be merged")
    session.decide(source, c.MergeInto(into, other.customer_id, _threads(tx, source)), about)
    if here:
        move_back(session, tx, source, [stay.message.message_id for stay in here], into, about)


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
    ours = _ours(tx, source, merged, there)
    back = [stay.message.message_id for stay in there if stay.message.message_id in ours]
    if back:
        move_back(session, tx, merged.into_id, back, source, about)


def _ours(tx: Transaction, source: UUID, merged: e.ConversationMerged, there: list[Stay]) -> set[UUID]:
    """Return the messages of the conversation: merged with it, or come since by its thread or as answers.

    An answer may have been answered too, by a mail that names nothing but that answer.
    """
    past = read_streams(tx, [source, merged.into_id])
    at = max(r.position for r in past if r.stream_id == source and isinstance(r.event, e.ConversationMerged))
    own = [recorded for recorded in past if recorded.stream_id == source]
    moved = {r.event.message_id for r in own if isinstance(r.event, e.MessageMoved) and r.position > at}
    came = _came_since(at, [recorded for recorded in past if recorded.stream_id == merged.into_id])
    replies = [recorded.event for recorded in own if isinstance(recorded.event, e.ReplySent)]
    known = {id_ for reply in replies for id_ in (reply.external_id, *reply.known_as)}
    found = [stay.message for stay in there if stay.message.message_id in moved]
    since = [stay.message for stay in there if stay.message.message_id in came - moved]
    found += [each for each in since if (each.channel_id, each.thread_key) in merged.threads]
    found += [each for each in since if not known.isdisjoint(each.refers_to)]
    return _with_answers(found, since)


def _came_since(position: int, past: list[e.Recorded]) -> set[UUID]:
    """Return the messages that clients have written to a conversation, whose events these are, after a position.

    Those too that reached it where it went on itself meanwhile; not those that somebody has moved there.
    """
    first: dict[UUID, bool] = {}
    alone_again: tuple[UUID, datetime] | None = None
    for recorded in past:
        match recorded.event:
            case e.MessageReceived() as event:
                first.setdefault(event.message_id, recorded.position > position)
            case e.ConversationUnmerged() as event:
                alone_again = (event.from_id, recorded.recorded_at)
            case e.MessageAdopted() as event:
                comes_back = (event.from_conversation_id, recorded.recorded_at) == alone_again
                first.setdefault(event.message.message_id, comes_back and recorded.position > position)
    return {message_id for message_id, is_new in first.items() if is_new}


def _with_answers(found: list[e.MessageReceived], others: list[e.MessageReceived]) -> set[UUID]:
    """Return the ids of messages and of those others that answer one of them, or an answer."""
    complete: set[UUID] = set()
    while found:
        complete |= {each.message_id for each in found}
        known = {id_ for each in found for id_ in each.known_as}
        others = [each for each in others if each.message_id not in complete]
        found = [each for each in others if not known.isdisjoint(each.refers_to)]
    return complete


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
