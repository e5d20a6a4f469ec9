"""What the client says: messages, parts that come later, calls. Decided and folded for `conversation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.call import merge
from shared.domain.state import THREAD_LIMIT, Answerable, Conversation, existing, joined_by, with_message

SPAM = "spam"
"""The tag of a conversation that spam has opened: closed, so that nobody has to look, and there to be found."""


# --- decide -----------------------------------------------------------------------------------------------


def receive(command: c.ReceiveMessage, state: Conversation) -> list[e.ConversationEvent]:
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


def end_call(command: c.EndCall, state: Conversation) -> list[e.ConversationEvent]:
    """What has been heard of meanwhile goes before what was concluded."""
    known = state.calls.get(command.message_id)
    if known is None or known.state not in ("ringing", "answered") or known == command.call:
        return []
    return [e.CallProgressed(*existing(state), command.message_id, command.call)]


# --- evolve -----------------------------------------------------------------------------------------------


def received(state: Conversation, event: e.MessageReceived) -> Conversation:
    if event.edited_before:
        state = replace(state, edited_ahead=state.edited_ahead - {event.said_id})
    if event.part_id is not None:
        state = replace(state, albums=state.albums | {event.message_id})
    if event.waits and state.unreachable:
        state = replace(state, unreachable="")
    if event.call is not None:
        return replace(state, calls=_with_call(state, event.message_id, event.call), answerable=to_answer(state, event))
    if not event.waits and state.answerable is not None:
        return state
    before = state.thread or event.refers_to[::-1]
    thread = (*before, event.external_id)[-THREAD_LIMIT:]
    return with_message(state, to_answer(state, event), thread, joined_by(state, _addresses(event)))


def call_progressed(state: Conversation, event: e.CallProgressed) -> Conversation:
    return replace(state, calls=_with_call(state, event.message_id, event.call))


def _addresses(event: e.MessageReceived) -> list[tuple[str, str]]:
    """Who wrote it, and whom they wrote to themselves: those may answer."""
    kind = event.sender.kind
    return [(kind, event.sender.address), *((kind, recipient) for recipient in event.recipients)]


def to_answer(state: Conversation, event: e.MessageReceived) -> Answerable | None:
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


def _with_call(state: Conversation, message_id: UUID, call: e.Call) -> Mapping[UUID, e.Call]:
    """All are kept: a call that was forgotten would be a second message when more is told of it."""
    return {**state.calls, message_id: call}
