"""An operator's replies: asked for, on their way, and how they fared. Decided and folded for `conversation`."""

from __future__ import annotations

from dataclasses import replace

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.state import THREAD_LIMIT, Conversation, Reply, existing, joined_by, text_within_limit

# --- decide -----------------------------------------------------------------------------------------------


def request_reply(command: c.RequestReply, state: Conversation) -> list[e.ConversationEvent]:
    conversation_id, customer_id = existing(state)
    if command.reply_id in state.replies:
        return []
    text, target = text_within_limit(command.text), state.answerable
    if target is None:
        raise Refused("nothing_to_answer", "The client has not written in this conversation yet")
    if why := state.unreachable or target.cannot_reply:
        raise Refused("cannot_reply", why)
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


def record_notice(command: c.RecordNotice, state: Conversation) -> list[e.ConversationEvent]:
    """A notice that comes while a later attempt is under way is about the one before."""
    head = existing(state)
    known = state.replies.get(command.reply_id)
    if known is not None and known.state == "queued" and known.attempt > 1:
        return []
    attempt = known.attempt if known else command.attempt
    details = (command.recipient, command.code, command.error)
    events: list[e.ConversationEvent] = [_NOTICES[command.state](*head, command.reply_id, attempt, *details)]
    if command.state == "bounced" and state.status != "open":
        events.append(e.ConversationReopened(*head, "bounce"))
    return events


_NOTICES: dict[str, type[e.Notice]] = {
    "delivered": e.ReplyDelivered,
    "read": e.ReplyRead,
    "delayed": e.ReplyDelayed,
    "bounced": e.ReplyBounced,
    "complained": e.ReplyComplained,
}


# --- evolve -----------------------------------------------------------------------------------------------


def requested(state: Conversation, event: e.ReplyRequested) -> Conversation:
    participants = joined_by(state, [(to.kind, to.address) for to in event.to])
    return replace(state, replies={**state.replies, event.reply_id: Reply("queued")}, participants=participants)


def retried(state: Conversation, event: e.ReplyRetried) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("queued", event.attempt)})


def sent(state: Conversation, event: e.ReplySent) -> Conversation:
    replies = {id_: reply for id_, reply in state.replies.items() if id_ != event.reply_id}
    return replace(state, replies=replies, thread=(*state.thread, event.external_id)[-THREAD_LIMIT:])


def failed(state: Conversation, event: e.ReplyFailed) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("failed", event.attempt)})


def unknown(state: Conversation, event: e.ReplyFateUnknown) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("unknown", event.attempt)})


def delivered(state: Conversation, event: e.ReplyDelivered | e.ReplyRead) -> Conversation:
    """Whether it was sent is known now, where it was not."""
    reply = state.replies.get(event.reply_id)
    if reply is None or reply.state == "queued":
        return state
    return replace(state, replies={id_: kept for id_, kept in state.replies.items() if id_ != event.reply_id})


def bounced(state: Conversation, event: e.ReplyBounced) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("bounced", event.attempt)})
