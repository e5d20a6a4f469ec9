"""One thread with one customer on one channel: `decide` guards and answers with events, `evolve` folds them.

Both are pure. A duplicate is not an error: `decide` returns no events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal
from uuid import UUID

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain import files, replies, told
from shared.domain.call import merge
from shared.domain.errors import Refused
from shared.domain.state import (
    NEW,
    THREAD_LIMIT,
    Answerable,
    Conversation,
    existing,
    joined_by,
    text_within_limit,
    with_message,
)

__all__ = ["NEW", "TAG_LIMIT", "Conversation", "decide", "evolve"]

TAG_LIMIT = 64
SPAM = "spam"
"""The tag of a conversation that spam has opened: closed, so that nobody has to look, and there to be found."""


# --- decide -----------------------------------------------------------------------------------------------


def decide(command: c.ConversationCommand, state: Conversation) -> list[e.ConversationEvent]:
    """Return what happens. Raises Refused (NoSuchThing for a conversation or reply that does not exist)."""
    return _DECIDE[type(command)](command, state)


def _receive(command: c.ReceiveMessage, state: Conversation) -> list[e.ConversationEvent]:
    message = command.message
    if message.call is not None and message.message_id in state.calls:
        return _progress(message, message.call, state)
    if message.said_id in state.edited_ahead:
        message = replace(message, edited_before=True)
    if message.part_id is not None and message.message_id in state.albums:
        return _extend(message, state)
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
        if message.nature == "spam":
            head = (message.conversation_id, message.customer_id)
            return [*events, message, e.ConversationTagged(*head, (SPAM,)), e.ConversationClosed(*head)]
    elif state.status != "open" and message.waits:
        events.append(e.ConversationReopened(message.conversation_id, message.customer_id, "message"))
    events.append(message)
    return events


def _extend(message: e.MessageReceived, state: Conversation) -> list[e.ConversationEvent]:
    head = (message.conversation_id, message.customer_id)
    extended = e.MessageExtended(*head, message)
    if state.status != "open" and message.waits:
        return [e.ConversationReopened(*head, "message"), extended]
    return [extended]


def _progress(message: e.MessageReceived, call: e.Call, state: Conversation) -> list[e.ConversationEvent]:
    """A call only moves forward, in whatever order the provider tells of it; later facts fill what was empty."""
    known = state.calls[message.message_id]
    merged = merge(known, call)
    if merged == known:
        return []
    return [e.CallProgressed(message.conversation_id, message.customer_id, message.message_id, merged)]


def _end_call(command: c.EndCall, state: Conversation) -> list[e.ConversationEvent]:
    """What has been heard of meanwhile goes before what was concluded."""
    known = state.calls.get(command.message_id)
    if known is None or known.state not in ("ringing", "answered") or known == command.call:
        return []
    return [e.CallProgressed(*existing(state), command.message_id, command.call)]


def _move_away(command: c.MoveAway, state: Conversation) -> list[e.ConversationEvent]:
    """A conversation that is left empty is closed."""
    head = existing(state)
    if command.to_conversation_id == state.id:
        raise Refused("there_already", "The message is in this conversation already")
    moved = e.MessageMoved(
        *head,
        command.message_id,
        command.to_conversation_id,
        command.to_customer_id,
        command.said_at,
        command.known_as,
        command.left,
        command.left_at,
        state.answerable is not None and state.answerable.message_id == command.message_id,
        command.waits_since,
    )
    closes = command.left is None and state.status != "closed"
    return [moved, e.ConversationClosed(*head)] if closes else [moved]


def _take_in(command: c.TakeIn, state: Conversation) -> list[e.ConversationEvent]:
    message = command.message
    head = (message.conversation_id, message.customer_id)
    adopted = e.MessageAdopted(*head, message, command.from_conversation_id, command.said_at, command.is_newest)
    if state.status == "new":
        reason = "moved out of another conversation"
        opened = e.ConversationOpened(*head, message.channel_id, message.channel_kind, message.subject, reason)
        return [opened, adopted]
    if state.status != "open" and message.waits:
        return [e.ConversationReopened(*head, "message"), adopted]
    return [adopted]


def _merge_into(command: c.MergeInto, state: Conversation) -> list[e.ConversationEvent]:
    """It is closed: what is said from now on is said in the other one."""
    head = existing(state)
    if state.merged is not None and state.merged.into_id == command.into_id:
        return []
    if state.merged is not None:
        raise Refused("already_merged", f"This conversation is merged already, into {state.merged.into_id}")
    if command.into_id == state.id:
        raise Refused("same_conversation", "A conversation cannot be merged into itself")
    was: Literal["open", "snoozed", "closed"] = "open" if state.status == "new" else state.status
    merged = e.ConversationMerged(*head, command.into_id, command.into_customer_id, command.threads, was)
    return [merged] if was == "closed" else [merged, e.ConversationClosed(*head)]


def _go_on_alone(command: c.GoOnAlone, state: Conversation) -> list[e.ConversationEvent]:
    head = existing(state)
    if state.merged is None:
        raise Refused("not_merged", "This conversation is not merged into another one")
    alone = e.ConversationUnmerged(*head, state.merged.into_id, state.merged.threads)
    reopens = state.merged.was != "closed" and state.status == "closed"
    return [alone, e.ConversationReopened(*head, "operator")] if reopens else [alone]


def _add_note(command: c.AddNote, state: Conversation) -> list[e.ConversationEvent]:
    return [e.NoteAdded(*existing(state), command.note_id, text_within_limit(command.text))]


def _assign(command: c.Assign, state: Conversation) -> list[e.ConversationEvent]:
    head = existing(state)
    if state.assignee == command.operator_id:
        return []
    return [e.ConversationAssigned(*head, command.operator_id, command.operator_name)]


def _snooze(command: c.Snooze, state: Conversation) -> list[e.ConversationEvent]:
    head = existing(state)
    if command.until <= command.now:
        raise Refused("time_has_passed", "The time to wake the conversation has passed already")
    if state.status == "snoozed" and state.snoozed_until == command.until:
        return []
    return [e.ConversationSnoozed(*head, command.until)]


def _end_snooze(command: c.EndSnooze, state: Conversation) -> list[e.ConversationEvent]:
    head = existing(state)
    if state.status != "snoozed" or state.snoozed_until is None or state.snoozed_until > command.now:
        return []
    return [e.ConversationReopened(*head, "time")]


def _reopen(command: c.Reopen, state: Conversation) -> list[e.ConversationEvent]:
    head = existing(state)
    return [] if state.status == "open" else [e.ConversationReopened(*head, "operator")]


def _close(command: c.Close, state: Conversation) -> list[e.ConversationEvent]:
    head = existing(state)
    return [] if state.status == "closed" else [e.ConversationClosed(*head)]


def _tag(command: c.Tag, state: Conversation) -> list[e.ConversationEvent]:
    head = existing(state)
    added = tuple(dict.fromkeys(tag.strip() for tag in command.add if tag.strip() not in state.tags))
    removed = tuple(dict.fromkeys(tag for tag in command.remove if tag in state.tags))
    if any(not tag or len(tag) > TAG_LIMIT for tag in added):
        raise Refused("bad_tag", f"A tag has 1 to {TAG_LIMIT} characters")
    return [e.ConversationTagged(*head, added, removed)] if added or removed else []


_DECIDE: dict[type, Callable[[Any, Conversation], list[e.ConversationEvent]]] = {
    c.ReceiveMessage: _receive,
    c.RequestReply: replies.request_reply,
    c.RequestAction: replies.request_action,
    c.RetryReply: replies.retry_reply,
    c.RecordDelivery: replies.record_delivery,
    c.RecordNotice: replies.record_notice,
    c.HearEcho: replies.hear_echo,
    c.Tell: told.tell,
    c.AnnounceFiles: files.announce,
    c.TakeFile: files.take,
    c.EndCall: _end_call,
    c.MoveAway: _move_away,
    c.TakeIn: _take_in,
    c.MergeInto: _merge_into,
    c.GoOnAlone: _go_on_alone,
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
    return Conversation(
        id=event.conversation_id, customer_id=event.customer_id, status="open", channel_id=event.channel_id
    )  # fmt: skip


def _received(state: Conversation, event: e.MessageReceived) -> Conversation:
    if event.edited_before:
        state = replace(state, edited_ahead=state.edited_ahead - {event.said_id})
    if event.part_id is not None:
        state = replace(state, albums=state.albums | {event.message_id})
    if event.waits and state.unreachable:
        state = replace(state, unreachable="")
    if event.call is not None:
        return replace(state, calls=_with_call(state, event.message_id, event.call), answerable=_target(state, event))
    if not event.waits and state.answerable is not None:
        return state
    before = state.thread or event.refers_to[::-1]
    thread = (*before, event.external_id)[-THREAD_LIMIT:]
    return with_message(state, _target(state, event), thread, joined_by(state, _addresses(event)))


def _addresses(event: e.MessageReceived) -> list[tuple[str, str]]:
    """Who wrote it, and whom they wrote to themselves: those may answer."""
    kind = event.sender.kind
    return [(kind, event.sender.address), *((kind, recipient) for recipient in event.recipients)]


def _moved(state: Conversation, event: e.MessageMoved) -> Conversation:
    if not event.was_to_be_answered:
        return state
    return replace(state, answerable=_target(replace(state, answerable=None), event.left) if event.left else None)


def _adopted(state: Conversation, event: e.MessageAdopted) -> Conversation:
    taken_in = _received(state, event.message)
    if event.is_newest or state.answerable is None:
        return taken_in
    return replace(taken_in, answerable=state.answerable)


def _target(state: Conversation, event: e.MessageReceived) -> Answerable | None:
    """An automatic reply is answered only where there is nothing else to answer."""
    if event.direction == "outbound" or (not event.waits and state.answerable is not None):
        return state.answerable
    return Answerable(
        event.message_id,
        event.external_id,
        event.reply_to or event.sender,
        event.reply_channel or event.channel_id,
        event.cannot_reply,
        event.subject,
        event.thread_key,
        event.recipients,
        event.kind == "form",
    )


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


def _same(state: Conversation, event: e.ConversationEvent) -> Conversation:
    return state


_EVOLVE: dict[type, Callable[[Conversation, Any], Conversation]] = {
    e.ConversationOpened: _opened,
    e.MessageReceived: _received,
    e.MessageExtended: lambda state, event: _received(state, event.message),
    e.CallProgressed: _call_progressed,
    e.ReplyRequested: replies.requested,
    e.ActionRequested: replies.action_requested,
    e.ReplyRetried: replies.retried,
    e.ReplySent: replies.sent,
    e.ReplyFailed: replies.failed,
    e.ReplyFateUnknown: replies.unknown,
    e.ReplyDelivered: replies.delivered,
    e.ReplyRead: replies.delivered,
    e.ReplyBounced: replies.bounced,
    e.ReplyDelayed: _same,
    e.ReplyComplained: _same,
    e.EchoReceived: _same,
    e.MessageEdited: told.edited,
    e.MessageDeleted: _same,
    e.MessageReacted: _same,
    e.CustomerReachChanged: told.reach_changed,
    e.ThreadRenamed: told.renamed,
    e.FilesAnnounced: files.announced,
    e.FileArrived: files.ended,
    e.FileMissing: files.ended,
    e.MessageMoved: _moved,
    e.MessageAdopted: _adopted,
    e.NoteAdded: _same,
    e.ConversationAssigned: _assigned,
    e.ConversationSnoozed: _snoozed,
    e.ConversationReopened: _reopened,
    e.ConversationClosed: _closed,
    e.ConversationTagged: _tagged,
    e.ConversationMerged: lambda state, event: replace(state, merged=event),
    e.ConversationUnmerged: lambda state, event: replace(state, merged=None),
}
