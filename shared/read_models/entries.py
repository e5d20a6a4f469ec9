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
    body["occurred_at"] = to_text(recorded.occurred_at)
    body["recorded_at"] = to_text(recorded.recorded_at)
    return body


def dumps(body: Body | list[Body]) -> str:
    """Return the JSON text."""
    return orjson.dumps(body).decode()


def attachment_id(message_id: UUID, index: int) -> UUID:
    """Return the id of the n-th attachment of a message."""
    return uuid5(message_id, f"attachment/{index}")


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


def _files(message_id: UUID, files: tuple[e.File, ...]) -> list[Body]:
    return [
        {
            "id": (id_ := str(attachment_id(message_id, index))),
            "name": file.name,
            "media_type": file.media_type,
            "size": file.size,
            "sha256": file.sha256,
            "url": f"/api/v1/attachments/{id_}",
        }
        for index, file in enumerate(files)
    ]


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
    }


def _note(event: e.NoteAdded, recorded: e.Recorded) -> Body:
    return {**_plain(event.note_id, "note", recorded, event.text), "full_text": event.text}


def _assigned(event: e.ConversationAssigned, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "assigned", recorded, event.operator_name)


def _snoozed(event: e.ConversationSnoozed, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "snoozed", recorded, until=to_text(event.until))


def _reopened(event: e.ConversationReopened, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "reopened", recorded, reason=event.reason)


def _tagged(event: e.ConversationTagged, recorded: e.Recorded) -> Body:
    return _plain(_event_id(recorded), "tagged", recorded, added=event.added, removed=event.removed)


_ENTRIES: dict[type, Callable[[Any, e.Recorded], Body]] = {
    e.MessageReceived: _message,
    e.ReplyRequested: _reply,
    e.NoteAdded: _note,
    e.ConversationAssigned: _assigned,
    e.ConversationSnoozed: _snoozed,
    e.ConversationReopened: _reopened,
    e.ConversationClosed: lambda event, recorded: _plain(_event_id(recorded), "closed", recorded),
    e.ConversationTagged: _tagged,
}
