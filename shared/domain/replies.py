"""An operator's replies: asked for, on their way, and how they fared. Decided and folded for `conversation`."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal
from uuid import UUID

from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.state import (
    ADDRESS_LIMIT,
    RECIPIENT_LIMIT,
    THREAD_LIMIT,
    Answerable,
    Conversation,
    Reply,
    existing,
    joined_by,
    text_within_limit,
)

ERASED = "The client was erased: there is nobody to write to"

# --- decide -----------------------------------------------------------------------------------------------


def request_reply(command: c.RequestReply, state: Conversation) -> list[e.ConversationEvent]:
    conversation_id, customer_id = existing(state)
    if command.reply_id in state.replies:
        return []
    target = _answerable(state)
    text = command.text if command.files and not command.text.strip() else text_within_limit(command.text)
    return [
        e.ReplyRequested(
            conversation_id,
            customer_id,
            command.reply_id,
            command.answers or target.message_id,
            target.channel_id,
            _recipients(command, target),
            target.subject,
            text,
            in_reply_to=command.target or target.external_id,
            references=state.thread,
            thread_key=target.thread_key,
            files=command.files,
            markup=command.markup,
            cc=command.cc,
            bcc=command.bcc,
            quotes=target.is_form if command.quotes is None else command.quotes,
            automatic=command.automatic,
            target=command.target,
            signature=command.signature,
        )
    ]


def _answerable(state: Conversation) -> Answerable:
    if state.answerable is None:
        raise Refused("nothing_to_answer", "The client has not written in this conversation yet")
    if not state.answerable.to.address:
        raise Refused("erased", ERASED)
    if why := state.unreachable or state.answerable.cannot_reply:
        raise Refused("cannot_reply", why)
    return state.answerable


def _recipients(command: c.RequestReply, target: Answerable) -> tuple[e.Address, ...]:
    """Return to whom it goes; only a mail can go to others than the client. Raises Refused."""
    to = (target.to,) if command.to is None else command.to
    everybody = (*to, *command.cc, *command.bcc)
    if everybody == (target.to,):
        return to
    if target.to.kind != "email":
        raise Refused("no_other_recipients", "Only a mail can go to others than the client")
    if not to or len(everybody) > RECIPIENT_LIMIT:
        raise Refused("bad_recipients", f"A mail goes to 1 to {RECIPIENT_LIMIT} addresses")
    for address in everybody:
        local, at, domain = address.address.rpartition("@")
        printable = address.address.isprintable() and " " not in address.address and address.name.isprintable()
        if not (address.kind == "email" and local and at and domain and printable) or len(local) > ADDRESS_LIMIT:
            raise Refused("bad_address", f"{address.address[:80]!r} is no e-mail address")
    return to


def request_action(command: c.RequestAction, state: Conversation) -> list[e.ConversationEvent]:
    head = existing(state)
    if command.reply_id in state.replies:
        return []
    if command.action in ("edit", "react"):
        text_within_limit(command.text if command.action == "edit" else command.text or "-")
    if command.action != "call" and not command.target:
        raise Refused("not_sent", "The channel does not know this message, or not yet")
    if state.unreachable:
        raise Refused("cannot_reply", state.unreachable)
    return [
        e.ActionRequested(
            *head,
            command.reply_id,
            command.action,
            command.channel_id,
            command.to,
            command.message_id,
            command.target,
            command.text,
            command.markup,
            command.thread_key,
            command.operator_address,
        )
    ]


def retry_reply(command: c.RetryReply, state: Conversation) -> list[e.ConversationEvent]:
    conversation_id, customer_id = existing(state)
    reply = state.replies.get(command.reply_id)
    if reply is None:
        raise NoSuchThing("no_such_reply", "There is no reply that could be sent again")
    if reply.state == "queued":
        return []
    of_action = reply.action is not None
    head = (conversation_id, customer_id, command.reply_id)
    return [e.ReplyRetried(*head, reply.attempt + 1, of_action, _lost(reply))]


def record_delivery(command: c.RecordDelivery, state: Conversation) -> list[e.ConversationEvent]:
    """What was sent counts as the latest attempt, also when an earlier one was: no attempt comes a second time."""
    conversation_id, customer_id = existing(state)
    reply = state.replies.get(command.reply_id)
    if reply is None or not _is_news(reply, command):
        return []
    head = (conversation_id, customer_id, command.reply_id)
    match command.state:
        case "sent":
            event: e.ConversationEvent = e.ReplySent(
                *head, command.channel_id, reply.attempt, command.tries, command.external_id, command.known_as
            )
        case "failed":
            of_action = reply.action is not None
            event = e.ReplyFailed(*head, command.attempt, command.tries, command.error, command.code, of_action)
        case "unknown":
            event = e.ReplyFateUnknown(*head, command.attempt, command.tries, command.error, command.code)
    done = _done(reply.action) if reply.action and command.state == "sent" else []
    return [event, *done]


def _is_news(reply: Reply, command: c.RecordDelivery) -> bool:
    """Whether a report tells what is not known yet; of an attempt that was lost, that it was sent after all."""
    if reply.state == "queued" and command.attempt == reply.attempt:
        return True
    return command.state == "sent" and command.attempt in _lost(reply)


def _lost(reply: Reply) -> tuple[int, ...]:
    """Return the attempts of unknown fate."""
    return (*reply.lost, reply.attempt) if reply.state == "unknown" else reply.lost


def _done(action: e.ActionRequested) -> list[e.ConversationEvent]:
    """What an action that succeeded has changed."""
    if action.message_id is None:
        return []
    head = (action.conversation_id, action.customer_id, action.message_id)
    match action.action:
        case "edit":
            return [e.MessageEdited(*head, action.reply_id, action.channel_id, action.target, None, action.text)]
        case "delete":
            return [e.MessageDeleted(*head, action.channel_id)]
        case "react":
            return [e.MessageReacted(*head, action.channel_id, (action.text,) if action.text else ())]
    return []


def record_notice(command: c.RecordNotice, state: Conversation) -> list[e.ConversationEvent]:
    """A notice that comes while a later attempt is under way is about the one before."""
    head = existing(state)
    known = state.replies.get(command.reply_id)
    what = (command.recipient, command.code, command.error, command.reason)
    if known is not None and known.state == "queued" and known.attempt > 1:
        if command.state != "bounced" or not known.lost:
            return []
        return [e.ReplyBounced(*head, command.reply_id, known.lost[-1], *what, hard=command.hard, earlier=True)]
    attempt = known.attempt if known else command.attempt
    made = _NOTICES[command.state]
    events: list[e.ConversationEvent] = [made(*head, command.reply_id, attempt, *what, hard=command.hard)]
    if command.state == "bounced" and state.status != "open":
        events.append(e.ConversationReopened(*head, "bounce"))
    return events


def hear_echo(command: c.HearEcho, state: Conversation) -> list[e.ConversationEvent]:
    """What came back was sent: that settles a fate nobody knew."""
    head = (*existing(state), command.reply_id)
    ids = (command.external_id, command.known_as)
    events: list[e.ConversationEvent] = [e.EchoReceived(*head, command.item_id, command.channel_id, *ids)]
    reply = state.replies.get(command.reply_id)
    if reply is not None and reply.state == "unknown":
        events.append(e.ReplySent(*head, command.channel_id, reply.attempt, 1, *ids))
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
    everybody = (*event.to, *event.cc, *event.bcc)
    participants = joined_by(state, [(to.kind, to.address) for to in everybody])
    return replace(state, replies={**state.replies, event.reply_id: Reply("queued")}, participants=participants)


def action_requested(state: Conversation, event: e.ActionRequested) -> Conversation:
    return replace(state, replies={**state.replies, event.reply_id: Reply("queued", 1, event)})


def retried(state: Conversation, event: e.ReplyRetried) -> Conversation:
    known = state.replies.get(event.reply_id)
    return _with(state, event.reply_id, "queued", event.attempt, _lost(known) if known is not None else ())


def _with(
    state: Conversation,
    reply_id: UUID,
    fate: Literal["queued", "failed", "unknown"],
    attempt: int,
    lost: tuple[int, ...] = (),
) -> Conversation:
    known = state.replies.get(reply_id) or Reply(fate)
    reply = replace(known, state=fate, attempt=attempt, lost=lost or known.lost)
    return replace(state, replies={**state.replies, reply_id: reply})


def sent(state: Conversation, event: e.ReplySent) -> Conversation:
    replies = {id_: reply for id_, reply in state.replies.items() if id_ != event.reply_id}
    known = state.replies.get(event.reply_id)
    if known is not None and known.action is not None:
        return replace(state, replies=replies)
    return replace(state, replies=replies, thread=(*state.thread, event.external_id)[-THREAD_LIMIT:])


def failed(state: Conversation, event: e.ReplyFailed) -> Conversation:
    return _with(state, event.reply_id, "failed", event.attempt)


def unknown(state: Conversation, event: e.ReplyFateUnknown) -> Conversation:
    return _with(state, event.reply_id, "unknown", event.attempt)


def delivered(state: Conversation, event: e.ReplyDelivered | e.ReplyRead) -> Conversation:
    """Whether it was sent is known now, where it was not."""
    reply = state.replies.get(event.reply_id)
    if reply is None or reply.state == "queued":
        return state
    return replace(state, replies={id_: kept for id_, kept in state.replies.items() if id_ != event.reply_id})


def bounced(state: Conversation, event: e.ReplyBounced) -> Conversation:
    known = state.replies.get(event.reply_id)
    if event.earlier and known is not None:  # that it was sent is no news any more
        lost = tuple(attempt for attempt in known.lost if attempt != event.attempt)
        return replace(state, replies={**state.replies, event.reply_id: replace(known, lost=lost)})
    return replace(state, replies={**state.replies, event.reply_id: Reply("bounced", event.attempt)})
