"""One thread with one customer on one channel: `decide` guards and answers with events, `evolve` folds them.

Both are pure. A duplicate is not an error: `decide` returns no events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain import files, messages, moves, replies, told
from shared.domain.errors import Refused
from shared.domain.state import (
    NEW,
    Conversation,
    existing,
    text_within_limit,
)

__all__ = ["NEW", "TAG_LIMIT", "Conversation", "decide", "evolve"]

TAG_LIMIT = 64


# --- decide -----------------------------------------------------------------------------------------------


def decide(command: c.ConversationCommand, state: Conversation) -> list[e.ConversationEvent]:
    """Return what happens. Raises Refused (NoSuchThing for a conversation or reply that does not exist)."""
    return _DECIDE[type(command)](command, state)


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
    c.ReceiveMessage: messages.receive,
    c.RequestReply: replies.request_reply,
    c.RequestAction: replies.request_action,
    c.RetryReply: replies.retry_reply,
    c.RecordDelivery: replies.record_delivery,
    c.RecordNotice: replies.record_notice,
    c.HearEcho: replies.hear_echo,
    c.Tell: told.tell,
    c.AnnounceFiles: files.announce,
    c.TakeFile: files.take,
    c.EndCall: messages.end_call,
    c.MoveAway: moves.move_away,
    c.TakeIn: moves.take_in,
    c.MergeInto: moves.merge_into,
    c.GoOnAlone: moves.go_on_alone,
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


def _same(state: Conversation, event: e.ConversationEvent) -> Conversation:
    return state


_EVOLVE: dict[type, Callable[[Conversation, Any], Conversation]] = {
    e.ConversationOpened: _opened,
    e.MessageReceived: messages.received,
    e.MessageExtended: lambda state, event: messages.received(state, event.message),
    e.CallProgressed: messages.call_progressed,
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
    e.MessageMoved: moves.moved,
    e.MessageAdopted: moves.adopted,
    e.NoteAdded: _same,
    e.ConversationAssigned: _assigned,
    e.ConversationSnoozed: _snoozed,
    e.ConversationReopened: _reopened,
    e.ConversationClosed: _closed,
    e.ConversationTagged: _tagged,
    e.ConversationMerged: lambda state, event: replace(state, merged=event),
    e.ConversationUnmerged: lambda state, event: replace(state, merged=None),
}
