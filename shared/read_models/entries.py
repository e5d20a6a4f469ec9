"""One timeline entry as it is stored: the JSON fields of a message, and of what else happens.

What every entry has unless it says otherwise (`NOTHING`) is not stored: a row is half as long without it.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import orjson

from shared.clock import to_text
from shared.domain import call as calls
from shared.domain import events as e
from shared.read_models.card_entries import card_entry

Body = dict[str, Any]
NOTHING: Body = {
    "external_id": None,
    "subject": "",
    "html": None,
    "attachments": [],
    "raw": None,
    "fields": None,
    "call": None,
    "delivery": None,
    "nature": "ordinary",
    "warnings": [],
    "edited_at": None,
    "versions": [],
    "deleted_at": None,
    "reactions": [],
}
"""What an entry has that its kind does not know of: every entry has every field of a message."""
NOTICES: dict[type, str] = {
    e.ReplyDelivered: "delivered",
    e.ReplyRead: "read",
    e.ReplyDelayed: "delayed",
    e.ReplyBounced: "bounced",
    e.ReplyComplained: "complained",
}
"""What the client's side says of a reply."""


def entry_of(recorded: e.Recorded) -> Body | None:
    """Return the entry that an event adds to the timeline, None for events that add none. Ids are UUIDs."""
    event = recorded.event
    make = _ENTRIES.get(type(event))
    if make is None:
        return None
    body = make(event, recorded)
    if body is None:
        return None
    body["occurred_at"] = to_text(recorded.occurred_at)
    body["recorded_at"] = to_text(recorded.recorded_at)
    if recorded.erased:
        body["erased"] = True
    return body


def shown(body: Body) -> Body:
    """Return the whole of a stored entry: with what is not stored."""
    return {**NOTHING, "full_text": body["text"], **body}


def dumps(body: Body | list[Body]) -> str:
    """Return the JSON text."""
    return orjson.dumps(body).decode()


def attachment_id(message_id: UUID, index: int) -> UUID:
    """Return the id of the n-th attachment of a message."""
    return uuid5(message_id, f"attachment/{index}")


def remote_id(item_id: UUID, ref: str) -> UUID:
    """Return the id of an attachment that is fetched in the background: known before it is there."""
    return uuid5(item_id, f"remote/{ref}")


def call_fields(call: e.Call) -> Body:
    """Return a call as the API shows it; `reported` is false when its end was never told."""
    return {
        "state": call.state,
        "direction": call.direction,
        "from": call.from_,
        "to": call.to,
        "answered_by": calls.answered_by(call) or None,
        "waiting_seconds": calls.waiting_seconds(call),
        "talking_seconds": calls.talking_seconds(call),
        "recording": call.recording or None,
        "on_hold": calls.on_hold(call),
        "transferred_to": calls.transferred_to(call) or None,
        "reported": call.reported,
        "started_at": _time(call.started_at),
        "answered_at": _time(calls.answered_at(call)),
        "ended_at": _time(call.ended_at),
        "legs": [_leg(leg) for leg in call.legs],
    }


def _leg(leg: e.Leg) -> Body:
    return {
        "id": leg.id,
        "to": leg.to or None,
        "state": leg.state,
        "answered": leg.answered,
        "started_at": _time(leg.started_at),
        "answered_at": _time(leg.answered_at),
        "ended_at": _time(leg.ended_at),
    }


def _time(at: datetime | None) -> str | None:
    return to_text(at) if at else None


def file_fields(id_: UUID, file: e.File) -> Body:
    """Return an attachment as the API shows it."""
    return {
        "id": str(id_),
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
        "url": f"/api/v1/attachments/{id_}",
        "content_id": file.content_id or None,
    }


def _files(message_id: UUID, files: tuple[e.File, ...]) -> list[Body]:
    return [file_fields(attachment_id(message_id, index), file) for index, file in enumerate(files)]


_OURS: Body = {"kind": "operator", "name": None, "address": None}
"""Who wrote past Okno from the business's own account: nobody whom we know by an id."""


def _client(sender: e.Address) -> Body:
    return {"kind": "customer", "name": sender.name or None, "address": sender.address}


def _message(event: e.MessageReceived, recorded: e.Recorded) -> Body:
    sender, raw = event.sender, event.raw
    body: Body = {
        "id": event.message_id,
        "direction": event.direction,
        "kind": event.kind,
        "channel_id": event.channel_id,
        "external_id": event.external_id,
        "author": _OURS if event.direction == "outbound" and event.call is None else _client(sender),
        "text": event.text,
        "raw": {"sha256": raw.sha256, "size": raw.size, "url": f"/api/v1/raw/{recorded.position}"},
    }
    if event.subject:
        body["subject"] = event.subject
    if event.full_text and event.full_text != event.text:
        body["full_text"] = event.full_text
    if event.html:
        body["html"] = event.html
    if event.files:
        body["attachments"] = _files(event.said_id, event.files)
    if event.part_id:
        body["part"] = event.part_id
    if event.fields:
        body["fields"] = event.fields
    if event.call:
        body["call"] = call_fields(event.call)
    if event.nature != "ordinary":
        body["nature"] = event.nature
    if event.warnings:
        body["warnings"] = event.warnings
    return body


def part(event: e.MessageReceived, recorded: e.Recorded) -> Body:
    """Return a further part of a message: as if it stood for itself."""
    times = {"occurred_at": to_text(recorded.occurred_at), "recorded_at": to_text(recorded.recorded_at)}
    return _message(event, recorded) | times


def _plain(id_: UUID, kind: str, recorded: e.Recorded, text: str = "", **more: Any) -> Body:
    return {
        "id": id_,
        "direction": None,
        "kind": kind,
        "author": {"kind": recorded.actor.kind, "name": recorded.actor.name or None, "address": None},
        "text": text,
        **more,
    }


def _event_id(recorded: e.Recorded) -> UUID:
    return uuid5(recorded.stream_id, str(recorded.version))


def _queued(recorded: e.Recorded) -> Body:
    return {"state": "queued", "attempts": 0, "error": None, "changed_at": to_text(recorded.occurred_at)}


def _reply(event: e.ReplyRequested, recorded: e.Recorded) -> Body:
    return {
        **_plain(event.reply_id, "text", recorded, event.text),
        "direction": "outbound",
        "delivery": _queued(recorded),
        "channel_id": event.channel_id,
        "subject": event.subject,
        "attachments": _files(event.reply_id, event.files),
        "to": [address.address for address in event.to],
        "cc": [address.address for address in event.cc],
        "bcc": [address.address for address in event.bcc],
        "markup": event.markup,
        **({"answers": str(event.answers)} if event.target else {}),
    }


def _action(event: e.ActionRequested, recorded: e.Recorded) -> Body:
    return {
        **_plain(event.reply_id, f"action_{event.action}", recorded, event.text),
        "direction": "outbound",
        "delivery": _queued(recorded),
        "channel_id": str(event.channel_id),
        "message_id": str(event.message_id) if event.message_id else None,
        "to": [address.address for address in event.to],
    }


def _delivery(event: Any, recorded: e.Recorded) -> Body:
    """What somebody may have to act on; that a reply was sent, delivered or read stands with the reply."""
    said = _DELIVERIES[type(event)]
    text = getattr(event, "error", "") or getattr(event, "code", "")
    return _plain(_event_id(recorded), f"delivery_{said}", recorded, text, message_id=event.reply_id)


_DELIVERIES: dict[type, str] = {
    e.ReplyRetried: "retried",
    e.ReplyFailed: "failed",
    e.ReplyFateUnknown: "unknown",
    e.ReplyDelayed: "delayed",
    e.ReplyBounced: "bounced",
    e.ReplyComplained: "complained",
}


def _linked(event: e.IdentityLinked, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "identity_linked", recorded, event.address.address)


def _note(event: e.NoteAdded, recorded: e.Recorded) -> Body:
    return _plain(event.note_id, "note", recorded, event.text)


def _assigned(event: e.ConversationAssigned, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "assigned", recorded, event.operator_name)


def _snoozed(event: e.ConversationSnoozed, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "snoozed", recorded, until=to_text(event.until))


def _reopened(event: e.ConversationReopened, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "reopened", recorded, reason=event.reason)


def _reach_changed(event: e.CustomerReachChanged, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "reach", recorded, event.reason, reachable=event.reachable)


def _renamed(event: e.ThreadRenamed, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "renamed", recorded, was=event.was, now=event.now)


def _step(event: e.StepEvent, recorded: e.Recorded) -> Body:
    due_at = getattr(event, "due_at", None)
    more = {"step_id": str(event.step_id), "due_at": to_text(due_at) if due_at else None}
    return _plain(_event_id(recorded), _STEPS[type(event)], recorded, event.what, **more)


_STEPS: dict[type, str] = {
    e.StepPlanned: "step_planned",
    e.StepDone: "step_done",
    e.StepPostponed: "step_postponed",
    e.StepDeclined: "step_declined",
}


def _moved(event: e.MessageMoved, recorded: e.Recorded) -> Body:
    where = {"message_id": str(event.message_id), "to": str(event.to_conversation_id)}
    return _plain(_event_id(recorded), "moved", recorded, **where)


def _merged(event: e.CustomersMerged, recorded: e.Recorded) -> Body:
    more = {"customer": str(event.customer_id), "into": str(event.into_id)}
    return _plain(event.merge_id, "merged", recorded, **more)


def _edited_ahead(event: e.MessageEdited, recorded: e.Recorded) -> Body | None:
    """The new version of a message that has not come stands in for it."""
    if event.known or event.sender is None:
        return None
    return {
        **_plain(event.message_id, "text", recorded, event.text),
        "direction": "inbound",
        "channel_id": str(event.channel_id),
        "external_id": event.external_id,
        "author": _client(event.sender),
        "stands_in": True,
    }


def _deleted_unknown(event: e.MessageDeleted, recorded: e.Recorded) -> Body | None:
    return None if event.known else _plain(_event_id(recorded), "deleted", recorded)


def _reacted_to_unknown(event: e.MessageReacted, recorded: e.Recorded) -> Body | None:
    return None if event.known else _plain(_event_id(recorded), "reacted", recorded, " ".join(event.reactions))


def _erased(event: e.CustomerErased, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "erased", recorded, event.reason, certificate_id=str(event.certificate_id))


def _tagged(event: e.ConversationTagged, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "tagged", recorded, added=event.added, removed=event.removed)


def _card(event: e.CardEvent, recorded: e.Recorded) -> Body:
    kind, text, more = card_entry(event)
    return _plain(_event_id(recorded), kind, recorded, text, **more)


# To add a kind: one line here, and its words in the window (`kinds.en.ts`, `kinds.ru.ts`).
_ENTRIES: dict[type, Callable[[Any, e.Recorded], Body | None]] = {
    e.MessageReceived: _message,
    e.ReplyRequested: _reply,
    e.ActionRequested: _action,
    e.MessageEdited: _edited_ahead,
    e.MessageDeleted: _deleted_unknown,
    e.MessageReacted: _reacted_to_unknown,
    e.CustomerReachChanged: _reach_changed,
    e.ThreadRenamed: _renamed,
    e.MessageMoved: _moved,
    e.CustomersMerged: _merged,
    e.NoteAdded: _note,
    e.CustomerErased: _erased,
    **dict.fromkeys(_STEPS, _step),
    **dict.fromkeys(_DELIVERIES, _delivery),
    e.IdentityLinked: _linked,
    e.ConversationAssigned: _assigned,
    e.ConversationSnoozed: _snoozed,
    e.ConversationReopened: _reopened,
    e.ConversationClosed: lambda event, recorded: _plain(_event_id(recorded), "closed", recorded),
    e.ConversationTagged: _tagged,
    **dict.fromkeys(typing.get_args(e.CardEvent), _card),
}
