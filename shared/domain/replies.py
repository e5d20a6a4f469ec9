"""An operator's replies: asked for, on their way, and how they fared. Decided and folded for `conversation`."""

from __future__ import annotations

from dataclasses import replace

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.state import THREAD_LIMIT, Conversation, Reply, existing, text_within_limit

# --- decide -----------------------------------------------------------------------------------------------


def request_reply(command: c.RequestReply, state: Conversation) -> list[e.ConversationEvent]:
    conversation_id, customer_id = existing(state)
    if command.reply_id in state.replies:
        return []
    text, target = text_within_limit(command.text), state.answerable
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


def retry_reply(command: c.RetryReply, state: Conversation) -> list[e.ConversationEvent]:
    conversation_id, customer_id = existing(state)
    reply = state.replies.get(command.reply_id)
    if reply is None:
        raise NoSuchThing("no_such_reply", "There is no reply that could be sent again")
    if reply.state == "queued":
        return []
    return [e.ReplyRetried(conversation_id, customer_id, command.reply_id, reply.attempt + 1)]


def record_delivery(command: c.RecordDelivery, state: Conversation) -> list[e.ConversationEvent]:
    conversation_id, customer_id = existing(state)
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


# --- evolve -----------------------------------------------------------------------------------------------


def requested(state: Conversation, event: e.ReplyRequested) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("queued")})


def retried(state: Conversation, event: e.ReplyRetried) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("queued", event.attempt)})


def sent(state: Conversation, event: e.ReplySent) -> Conversation:
    replies = {id_: reply for id_, reply in state.replies.items() if id_ != event.reply_id}
    return replace(state, replies=replies, thread=(*state.thread, event.external_id)[-THREAD_LIMIT:])


def failed(state: Conversation, event: e.ReplyFailed) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("failed", event.attempt)})


def unknown(state: Conversation, event: e.ReplyFateUnknown) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("unknown", event.attempt)})
