"""One timeline entry as it is stored and shown: the JSON fields of a message, and of what else happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid5

import orjson

from shared.clock import to_text
from shared.domain import events as e

Body = dict[str, Any]


def entry_of(recorded: e.Recorded) -> Body | None:
    """Return the entry that an event adds to the timeline, None for events that add none."""
    event = recorded.event
    make = _ENTRIES.get(type(event))
    if make is None:
        return None
    body = make(event, recorded)
    if body is None:
        return None
    body["occurred_at"] = to_text(recorded.occurred_at)
    body["recorded_at"] = to_text(recorded.recorded_at)
    return body


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
    """Return a call as the API shows it."""
    return {
        "state": call.state,
        "direction": call.direction,
        "from": call.from_,
        "to": call.to,
        "answered_by": call.answered_by or None,
        "waiting_seconds": call.waiting_seconds,
        "talking_seconds": call.talking_seconds,
        "recording": call.recording or None,
    }


def file_fields(id_: UUID, file: e.File) -> Body:
    """Return an attachment as the API shows it."""
    return {
        "id": str(id_),
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
        "url": f"/api/v1/attachments/{id_}",
    }


def _files(message_id: UUID, files: tuple[e.File, ...]) -> list[Body]:
    return [file_fields(attachment_id(message_id, index), file) for index, file in enumerate(files)]


def _message(event: e.MessageReceived, recorded: e.Recorded) -> Body:
    sender, raw = event.sender, event.raw
    return {
        "id": str(event.message_id),
        "direction": event.direction,
        "kind": event.kind,
        "channel_id": str(event.channel_id),
        "external_id": event.external_id,
        "author": {"kind": "customer", "name": sender.name or None, "address": sender.address},
        "subject": event.subject,
        "text": event.text,
        "full_text": event.full_text or event.text,
        "html": event.html or None,
        "attachments": _files(event.message_id, event.files) if event.files else [],
        "raw": {"sha256": raw.sha256, "size": raw.size, "url": f"/api/v1/raw/{recorded.position}"},
        "fields": event.fields or None,
        "call": call_fields(event.call) if event.call else None,
        **_unusual(event),
    }


def _unusual(event: e.MessageReceived) -> Body:
    """What an ordinary message has not, and so does not store."""
    found: Body = {}
    if event.nature != "ordinary":
        found["nature"] = event.nature
    if event.warnings:
        found["warnings"] = event.warnings
    return found


def _plain(id_: UUID, kind: str, recorded: e.Recorded, text: str = "", **more: Any) -> Body:
    return {
        "id": str(id_),
        "direction": None,
        "kind": kind,
        "author": {"kind": recorded.actor.kind, "name": recorded.actor.name or None, "address": None},
        "text": text,
        **more,
    }


def _event_id(recorded: e.Recorded) -> UUID:
    return uuid5(recorded.stream_id, str(recorded.version))


def _reply(event: e.ReplyRequested, recorded: e.Recorded) -> Body:
    return {
        **_plain(event.reply_id, "text", recorded, event.text),
        "direction": "outbound",
        "channel_id": str(event.channel_id),
        "external_id": None,
        "subject": event.subject,
        "full_text": event.text,
        "html": None,
        "attachments": _files(event.reply_id, event.files),
        "raw": None,
        "to": [address.address for address in event.to],
        "cc": [address.address for address in event.cc],
        "bcc": [address.address for address in event.bcc],
        "markup": event.markup,
    }


def _action(event: e.ActionRequested, recorded: e.Recorded) -> Body:
    return {
        **_plain(event.reply_id, f"action_{event.action}", recorded, event.text),
        "direction": "outbound",
        "channel_id": str(event.channel_id),
        "message_id": str(event.message_id) if event.message_id else None,
        "to": [address.address for address in event.to],
    }


def _note(event: e.NoteAdded, recorded: e.Recorded) -> Body:
    return {**_plain(event.note_id, "note", recorded, event.text), "full_text": event.text}


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


def _edited_ahead(event: e.MessageEdited, recorded: e.Recorded) -> Body | None:
    """The new version of a message that has not come stands in for it."""
    if event.known or event.sender is None:
        return None
    return {
        **_plain(event.message_id, "text", recorded, event.text),
        "direction": "inbound",
        "channel_id": str(event.channel_id),
        "external_id": event.external_id,
        "author": {"kind": "customer", "name": event.sender.name or None, "address": event.sender.address},
        "stands_in": True,
    }


def _deleted_unknown(event: e.MessageDeleted, recorded: e.Recorded) -> Body | None:
    return None if event.known else _plain(_event_id(recorded), "deleted", recorded)


def _reacted_to_unknown(event: e.MessageReacted, recorded: e.Recorded) -> Body | None:
    return None if event.known else _plain(_event_id(recorded), "reacted", recorded, " ".join(event.reactions))


def _tagged(event: e.ConversationTagged, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "tagged", recorded, added=event.added, removed=event.removed)


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
    e.NoteAdded: _note,
    **dict.fromkeys(_STEPS, _step),
    e.ConversationAssigned: _assigned,
    e.ConversationSnoozed: _snoozed,
    e.ConversationReopened: _reopened,
    e.ConversationClosed: lambda event, recorded: _plain(_event_id(recorded), "closed", recorded),
    e.ConversationTagged: _tagged,
}
