"""One thread with one customer on one channel: `decide` guards and answers with events, `evolve` folds them.

Both are pure. A duplicate is not an error: `decide` returns no events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.call import merge
from shared.domain.errors import NoSuchThing, Refused

TEXT_LIMIT = 100_000
"""Characters of one reply or note."""
TAG_LIMIT = 64
THREAD_LIMIT = 20
"""External ids a reply refers to (RFC 5322 sets no limit; longer References break in old mail programs)."""


@dataclass(frozen=True, slots=True)
class Answerable:
    """The client's last message: what an answer answers, and where it goes."""

    message_id: UUID
    external_id: str
    to: e.Address
    channel_id: UUID
    cannot_reply: str
    subject: str
    thread_key: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that is not known to have been sent."""

    state: Literal["queued", "failed", "unknown"]
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Conversation:
    """The state that decisions need; what is only shown lives in read models."""

    id: UUID | None = None
    customer_id: UUID | None = None
    status: Literal["new", "open", "snoozed", "closed"] = "new"
    snoozed_until: datetime | None = None
    assignee: UUID | None = None
    tags: frozenset[str] = frozenset()
    answerable: Answerable | None = None
    thread: tuple[str, ...] = ()
    replies: Mapping[UUID, Reply] = field(default_factory=dict)
    calls: Mapping[UUID, e.Call] = field(default_factory=dict)


NEW = Conversation()


# --- decide -----------------------------------------------------------------------------------------------


def decide(command: c.ConversationCommand, state: Conversation) -> list[e.ConversationEvent]:
    """Return what happens. Raises Refused (NoSuchThing for a conversation or reply that does not exist)."""
    return _DECIDE[type(command)](command, state)


def _receive(command: c.ReceiveMessage, state: Conversation) -> list[e.ConversationEvent]:
    message = command.message
    if message.call is not None and message.message_id in state.calls:
        return _progress(message, message.call, state)
    events: list[e.ConversationEvent] = []
    if state.status == "new":
        events.append(
            e.ConversationOpened(
                message.conversation_id,
                message.customer_id,
                message.channel_id,
                message.channel_kind,
                message.subject,
                command.opened_because,
            )
        )
    elif state.status != "open" and message.direction == "inbound":
        events.append(e.ConversationReopened(message.conversation_id, message.customer_id, "message"))
    events.append(message)
    return events


def _progress(message: e.MessageReceived, call: e.Call, state: Conversation) -> list[e.ConversationEvent]:
    """A call only moves forward, in whatever order the provider tells of it; late facts fill what was empty."""
    known = state.calls[message.message_id]
    merged = merge(known, call)
    if merged == known:
        return []
    return [e.CallProgressed(message.conversation_id, message.customer_id, message.message_id, merged)]


def _request_reply(command: c.RequestReply, state: Conversation) -> list[e.ConversationEvent]:
    conversation_id, customer_id = _existing(state)
    if command.reply_id in state.replies:
        return []
    text, target = _text(command.text), state.answerable
    if target is None:
        raise Refused("nothing_to_answer", "The client has not written in this conversation yet")
    if target.cannot_reply:
        raise Refused("cannot_reply", target.cannot_reply)
    return [
        e.ReplyRequested(
            conversation_id,
            customer_id,
            command.reply_id,
            target.message_id,
            target.channel_id,
            (target.to,),
            target.subject,
            text,
            in_reply_to=target.external_id,
            references=state.thread,
            thread_key=target.thread_key,
            files=command.files,
        )
    ]


def _retry_reply(command: c.RetryReply, state: Conversation) -> list[e.ConversationEvent]:
    conversation_id, customer_id = _existing(state)
    reply = state.replies.get(command.reply_id)
    if reply is None:
        raise NoSuchThing("no_such_reply", "There is no reply that could be sent again")
    if reply.state == "queued":
        return []
    return [e.ReplyRetried(conversation_id, customer_id, command.reply_id, reply.attempt + 1)]


def _record_delivery(command: c.RecordDelivery, state: Conversation) -> list[e.ConversationEvent]:
    conversation_id, customer_id = _existing(state)
    reply = state.replies.get(command.reply_id)
    if reply is None or reply.attempt != command.attempt or reply.state != "queued":
        return []
    head = (conversation_id, customer_id, command.reply_id)
    match command.state:
        case "sent":
            event: e.ConversationEvent = e.ReplySent(
                *head, command.channel_id, command.attempt, command.tries, command.external_id, command.known_as
            )
        case "failed":
            event = e.ReplyFailed(*head, command.attempt, command.tries, command.error, command.code)
        case "unknown":
            event = e.ReplyFateUnknown(*head, command.attempt, command.tries, command.error, command.code)
    return [event]


def _add_note(command: c.AddNote, state: Conversation) -> list[e.ConversationEvent]:
    return [e.NoteAdded(*_existing(state), command.note_id, _text(command.text))]


def _assign(command: c.Assign, state: Conversation) -> list[e.ConversationEvent]:
    head = _existing(state)
    if state.assignee == command.operator_id:
        return []
    return [e.ConversationAssigned(*head, command.operator_id, command.operator_name)]


def _snooze(command: c.Snooze, state: Conversation) -> list[e.ConversationEvent]:
    head = _existing(state)
    if command.until <= command.now:
        raise Refused("time_has_passed", "The time to wake the conversation has passed already")
    if state.status == "snoozed" and state.snoozed_until == command.until:
        return []
    return [e.ConversationSnoozed(*head, command.until)]


def _end_snooze(command: c.EndSnooze, state: Conversation) -> list[e.ConversationEvent]:
    head = _existing(state)
    if state.status != "snoozed" or state.snoozed_until is None or state.snoozed_until > command.now:
        return []
    return [e.ConversationReopened(*head, "time")]


def _reopen(command: c.Reopen, state: Conversation) -> list[e.ConversationEvent]:
    head = _existing(state)
    return [] if state.status == "open" else [e.ConversationReopened(*head, "operator")]


def _close(command: c.Close, state: Conversation) -> list[e.ConversationEvent]:
    head = _existing(state)
    return [] if state.status == "closed" else [e.ConversationClosed(*head)]


def _tag(command: c.Tag, state: Conversation) -> list[e.ConversationEvent]:
    head = _existing(state)
    added = tuple(dict.fromkeys(tag.strip() for tag in command.add if tag.strip() not in state.tags))
    removed = tuple(dict.fromkeys(tag for tag in command.remove if tag in state.tags))
    if any(not tag or len(tag) > TAG_LIMIT for tag in added):
        raise Refused("bad_tag", f"A tag has 1 to {TAG_LIMIT} characters")
    return [e.ConversationTagged(*head, added, removed)] if added or removed else []


def _existing(state: Conversation) -> tuple[UUID, UUID]:
    if state.id is None or state.customer_id is None:
        raise NoSuchThing("no_such_conversation", "There is no such conversation")
    return state.id, state.customer_id


def _text(text: str) -> str:
    if not text.strip():
        raise Refused("empty_text", "The text is empty")
    if len(text) > TEXT_LIMIT:
        raise Refused("text_too_long", f"The text is longer than {TEXT_LIMIT} characters")
    return text


_DECIDE: dict[type, Callable[[Any, Conversation], list[e.ConversationEvent]]] = {
    c.ReceiveMessage: _receive,
    c.RequestReply: _request_reply,
    c.RetryReply: _retry_reply,
    c.RecordDelivery: _record_delivery,
    c.AddNote: _add_note,
    c.Assign: _assign,
    c.Snooze: _snooze,
    c.EndSnooze: _end_snooze,
    c.Reopen: _reopen,
    c.Close: _close,
    c.Tag: _tag,
}


# --- evolve -----------------------------------------------------------------------------------------------


def evolve(state: Conversation, event: e.ConversationEvent) -> Conversation:
    """Return the state after one event."""
    return _EVOLVE[type(event)](state, event)


def _opened(state: Conversation, event: e.ConversationOpened) -> Conversation:
    return Conversation(id=event.conversation_id, customer_id=event.customer_id, status="open")


def _received(state: Conversation, event: e.MessageReceived) -> Conversation:
    if event.call is not None:
        return replace(state, calls=_with_call(state, event.message_id, event.call), answerable=_target(state, event))
    before = state.thread or tuple(reversed(event.refers_to))
    return replace(state, answerable=_target(state, event), thread=(*before, event.external_id)[-THREAD_LIMIT:])


def _target(state: Conversation, event: e.MessageReceived) -> Answerable | None:
    if event.direction == "outbound":
        return state.answerable
    return Answerable(
        event.message_id,
        event.external_id,
        event.reply_to or event.sender,
        event.reply_channel or event.channel_id,
        event.cannot_reply,
        event.subject,
        event.thread_key,
    )


def _requested(state: Conversation, event: e.ReplyRequested) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("queued")})


def _retried(state: Conversation, event: e.ReplyRetried) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("queued", event.attempt)})


def _sent(state: Conversation, event: e.ReplySent) -> Conversation:
    replies = {id_: reply for id_, reply in state.replies.items() if id_ != event.reply_id}
    return replace(state, replies=replies, thread=(*state.thread, event.external_id)[-THREAD_LIMIT:])


def _failed(state: Conversation, event: e.ReplyFailed) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("failed", event.attempt)})


def _unknown(state: Conversation, event: e.ReplyFateUnknown) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("unknown", event.attempt)})


def _assigned(state: Conversation, event: e.ConversationAssigned) -> Conversation:
    return replace(state, assignee=event.operator_id)


def _snoozed(state: Conversation, event: e.ConversationSnoozed) -> Conversation:
    return replace(state, status="snoozed", snoozed_until=event.until)


def _reopened(state: Conversation, event: e.ConversationReopened) -> Conversation:
    return replace(state, status="open", snoozed_until=None)


def _closed(state: Conversation, event: e.ConversationClosed) -> Conversation:
    return replace(state, status="closed", snoozed_until=None)


def _tagged(state: Conversation, event: e.ConversationTagged) -> Conversation:
    return replace(state, tags=(state.tags | set(event.added)) - set(event.removed))


def _call_progressed(state: Conversation, event: e.CallProgressed) -> Conversation:
    return replace(state, calls=_with_call(state, event.message_id, event.call))


def _with_call(state: Conversation, message_id: UUID, call: e.Call) -> Mapping[UUID, e.Call]:
    """All are kept: a call that was forgotten would be a second message when more is told of it."""
    return {**state.calls, message_id: call}


def _same(state: Conversation, event: e.NoteAdded) -> Conversation:
    return state


_EVOLVE: dict[type, Callable[[Conversation, Any], Conversation]] = {
    e.ConversationOpened: _opened,
    e.MessageReceived: _received,
    e.CallProgressed: _call_progressed,
    e.ReplyRequested: _requested,
    e.ReplyRetried: _retried,
    e.ReplySent: _sent,
    e.ReplyFailed: _failed,
    e.ReplyFateUnknown: _unknown,
    e.NoteAdded: _same,
    e.ConversationAssigned: _assigned,
    e.ConversationSnoozed: _snoozed,
    e.ConversationReopened: _reopened,
    e.ConversationClosed: _closed,
    e.ConversationTagged: _tagged,
}
