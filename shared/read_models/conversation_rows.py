"""One row of the list of conversations, and what each event makes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from shared.clock import to_text
from shared.domain import events as e
from shared.domain import told
from shared.domain.next_step import taken
from shared.ids import text_of
from shared.read_models.entries import Body

PREVIEW_CHARACTERS = 200
COLUMNS = (
    "id",
    "customer_id",
    "channel_id",
    "status",
    "subject",
    "snoozed_until",
    "assignee_id",
    "assignee_name",
    "tags",
    "waiting_since",
    "reply_to",
    "reply_channel",
    "cannot_reply",
    "unreachable",
    "messages_count",
    "last_message",
    "opened_at",
    "changed_at",
    "position",
    "merged_into",
)
INDEX = {name: number for number, name in enumerate(COLUMNS)}
POSITION, CHANGED_AT = INDEX["position"], INDEX["changed_at"]
STATUS, MERGED_INTO, COUNT = INDEX["status"], INDEX["merged_into"], INDEX["messages_count"]
Values = list[Any]


def change_row(values: Values, recorded: e.Recorded) -> None:
    """Take an event of CHANGES into a row."""
    for name, value in CHANGES[type(recorded.event)](recorded.event, recorded, values).items():
        values[INDEX[name]] = value
    values[CHANGED_AT] = to_text(recorded.recorded_at)
    values[POSITION] = recorded.position


def row_opened(id_: str, event: e.ConversationOpened, recorded: e.Recorded) -> Values:
    """Return the row of a conversation that has just begun."""
    at = to_text(recorded.recorded_at)
    head = [id_, text_of(event.customer_id), text_of(event.channel_id), "open", event.subject]
    return [*head, None, None, None, "[]", None, None, None, None, None, 0, None, at, at, recorded.position, None]


def row_begun(id_: str, recorded: e.Recorded) -> Values | None:
    """Return a conversation by the first event that can be read and says whose it is, on which channel."""
    event: Any = recorded.event
    if not (hasattr(event, "customer_id") and hasattr(event, "channel_id")):
        return None
    opened = e.ConversationOpened(event.conversation_id, event.customer_id, event.channel_id, "", "", "")
    return row_opened(id_, opened, recorded)


def _received(event: e.MessageReceived, recorded: e.Recorded, values: Values) -> Body:
    said = (event.message_id, event.direction, event.kind, event.sender.name, event.text)
    changed = _said(*said, recorded, values, event.call)
    if event.edited_before:
        changed = {}  # its new version stands for it already
    if (event.call is not None and taken(event.call)) or event.answers:
        changed["waiting_since"] = None
    if event.direction == "outbound" or (not event.waits and values[INDEX["reply_to"]] is not None):
        return changed
    waiting = values[INDEX["waiting_since"]]
    if event.call is not None and taken(event.call):
        waiting = None
    elif event.waits and (event.call is None or event.call.state == "missed"):
        waiting = waiting or to_text(recorded.occurred_at)
    return {
        **changed,
        "waiting_since": waiting,
        **_target(event),
        "unreachable": None if event.waits else values[INDEX["unreachable"]],
    }


def _extended(event: e.MessageExtended, recorded: e.Recorded, values: Values) -> Body:
    """A further part is no further message; what stood in for it is none any more."""
    message = event.message
    changed: Body = {}
    if message.edited_before:
        changed["messages_count"] = values[COUNT] - 1
    last = orjson.loads(values[INDEX["last_message"]] or "{}")
    if last.get("id") == str(message.message_id) and not last["preview"]:
        was = {name: value for name, value in last.items() if name != "erased" or not message.text}
        extended = {**was, "preview": _preview(message.text), **_erased(recorded)}
        changed["last_message"] = orjson.dumps(extended).decode()
    if message.waits:
        waiting = values[INDEX["waiting_since"]] or to_text(recorded.occurred_at)
        changed |= {"waiting_since": waiting, "unreachable": None, **_target(message)}
    return changed


def _said(
    id_: UUID,
    direction: str,
    kind: str,
    author: str,
    text: str,
    recorded: e.Recorded,
    values: Values,
    call: e.Call | None = None,
) -> Body:
    last = {
        "id": text_of(id_),
        "direction": direction,
        "kind": kind,
        "author_name": author or None,
        "preview": _preview(text),
        "occurred_at": to_text(recorded.occurred_at),
        "call": {"state": call.state, "direction": call.direction} if call else None,
        **_erased(recorded),
    }
    return {"last_message": orjson.dumps(last).decode(), "messages_count": values[COUNT] + 1}


def _erased(recorded: e.Recorded) -> Body:
    """What an empty preview is then: not a message without words."""
    return {"erased": True} if recorded.erased else {}


def _last(message: e.MessageReceived, said_at: datetime, recorded: e.Recorded) -> str:
    call = {"state": message.call.state, "direction": message.call.direction} if message.call else None
    last = {
        "id": str(message.message_id),
        "direction": message.direction,
        "kind": message.kind,
        "author_name": message.sender.name or None,
        "preview": _preview(message.text),
        "occurred_at": to_text(said_at),
        "call": call,
        **_erased(recorded),
    }
    return orjson.dumps(last).decode()


def _preview(text: str) -> str:
    return " ".join(text[: PREVIEW_CHARACTERS * 2].split())[:PREVIEW_CHARACTERS]


def _progressed(event: e.CallProgressed, recorded: e.Recorded, values: Values) -> Body:
    changed: Body = {}
    last = orjson.loads(values[INDEX["last_message"]] or "{}")
    if last.get("id") == str(event.message_id):
        last["call"] = {"state": event.call.state, "direction": event.call.direction}
        changed["last_message"] = orjson.dumps(last).decode()
    if event.call.direction == "inbound" and event.call.state == "missed":
        changed["waiting_since"] = values[INDEX["waiting_since"]] or to_text(recorded.occurred_at)
    elif taken(event.call):  # they have spoken
        changed["waiting_since"] = None
    return changed


def _replied(event: e.ReplyRequested, recorded: e.Recorded, values: Values) -> Body:
    """What no person wrote ends no waiting."""
    if event.automatic:
        return {"messages_count": values[COUNT] + 1}
    said = _said(event.reply_id, "outbound", "text", recorded.actor.name, event.text, recorded, values)
    return {**said, "waiting_since": None}


def _noted(event: e.NoteAdded, recorded: e.Recorded, values: Values) -> Body:
    return {"messages_count": values[COUNT] + 1}


def _failed(event: e.ReplyFailed, recorded: e.Recorded, values: Values) -> Body:
    """The client still waits: the answer did not arrive."""
    if event.of_action:
        return {}
    return {"waiting_since": values[INDEX["waiting_since"]] or to_text(recorded.occurred_at)}


def _bounced(event: e.ReplyBounced, recorded: e.Recorded, values: Values) -> Body:
    if event.earlier:
        return {}
    return {"waiting_since": values[INDEX["waiting_since"]] or to_text(recorded.occurred_at)}


def _edited(event: e.MessageEdited, recorded: e.Recorded, values: Values) -> Body:
    """A version of a message that has not come stands for it; otherwise the newest one is what was said."""
    if not event.known and event.sender is not None:
        author = event.sender.name
        waiting = values[INDEX["waiting_since"]] or to_text(recorded.occurred_at)
        said = _said(event.message_id, "inbound", "text", author, event.text, recorded, values)
        return {**said, "waiting_since": waiting}
    last = orjson.loads(values[INDEX["last_message"]] or "{}")
    at = to_text(recorded.occurred_at)
    if last.get("id") != str(event.message_id) or "deleted_at" in last or last.get("edited_at", "") > at:
        return {}
    was = {name: value for name, value in last.items() if name != "erased"}
    edited = {**was, "preview": _preview(event.text), "edited_at": at, **_erased(recorded)}
    return {"last_message": orjson.dumps(edited).decode()}


def _deleted(event: e.MessageDeleted, recorded: e.Recorded, values: Values) -> Body:
    last = orjson.loads(values[INDEX["last_message"]] or "{}")
    if last.get("id") != str(event.message_id):
        return {}
    at = to_text(recorded.occurred_at)
    return {"last_message": orjson.dumps({**last, "preview": "", "deleted_at": at}).decode()}


def _reacted(event: e.MessageReacted, recorded: e.Recorded, values: Values) -> Body:
    """Somebody who reacts needs no more words; but what the client wrote after it still waits."""
    waiting = values[INDEX["waiting_since"]]
    ends = event.reactions and waiting is not None and waiting <= to_text(recorded.occurred_at)
    return {"waiting_since": None} if ends else {}


def _reach_changed(event: e.CustomerReachChanged, recorded: e.Recorded, values: Values) -> Body:
    return {"unreachable": None if event.reachable else event.reason or told.BLOCKED}


def _moved(event: e.MessageMoved, recorded: e.Recorded, values: Values) -> Body:
    """What is left is as if the message had never been here."""
    changed: Body = {"messages_count": values[COUNT] - 1}
    last = orjson.loads(values[INDEX["last_message"]] or "{}")
    if last.get("id") == str(event.message_id):
        changed["last_message"] = _last(event.left, event.left_at, recorded) if event.left and event.left_at else None
    if values[INDEX["waiting_since"]] == to_text(event.said_at):
        changed["waiting_since"] = to_text(since) if (since := event.waits_since or _waits_since(event)) else None
    if event.was_to_be_answered:
        nobody = {"reply_to": None, "reply_channel": None, "cannot_reply": None}
        changed |= _target(event.left) if event.left else nobody
    return changed


def _waits_since(event: e.MessageMoved) -> datetime | None:
    """Of an event that does not tell, as it was recorded before it did: what it tells of the last one that stays."""
    waits = event.left is not None and event.left.waits
    return event.left_at if waits and event.left_at and event.left_at >= event.said_at else None


def _adopted(event: e.MessageAdopted, recorded: e.Recorded, values: Values) -> Body:
    message, at = event.message, to_text(event.said_at)
    changed: Body = {"messages_count": values[COUNT] + 1}
    last = orjson.loads(values[INDEX["last_message"]] or "{}")
    is_newest = last.get("occurred_at", "") <= at
    if is_newest:
        changed["last_message"] = _last(message, event.said_at, recorded)
        if message.waits and (message.call is None or message.call.state == "missed"):
            changed["waiting_since"] = values[INDEX["waiting_since"]] or at
    is_answered = event.is_newest or values[INDEX["reply_to"]] is None
    if message.direction == "inbound" and is_answered and (message.waits or values[INDEX["reply_to"]] is None):
        changed |= {**_target(message), "unreachable": None if message.waits else values[INDEX["unreachable"]]}
    return changed


def _target(message: e.MessageReceived) -> Body:
    """To whom an answer to this message goes."""
    return {
        "reply_to": (message.reply_to or message.sender).address,
        "reply_channel": text_of(message.reply_channel or message.channel_id),
        "cannot_reply": message.cannot_reply or None,
    }


def _assigned(event: e.ConversationAssigned, recorded: e.Recorded, values: Values) -> Body:
    id_ = str(event.operator_id) if event.operator_id else None
    return {"assignee_id": id_, "assignee_name": event.operator_name if id_ else None}


def _tagged(event: e.ConversationTagged, recorded: e.Recorded, values: Values) -> Body:
    tags = (set(orjson.loads(values[INDEX["tags"]])) | set(event.added)) - set(event.removed)
    return {"tags": orjson.dumps(sorted(tags)).decode()}


CHANGES: dict[type, Callable[[Any, e.Recorded, Values], Body]] = {
    e.ConversationOpened: lambda event, recorded, values: {},
    e.MessageReceived: _received,
    e.MessageExtended: _extended,
    e.CallProgressed: _progressed,
    e.ReplyRequested: _replied,
    e.ActionRequested: lambda event, recorded, values: {},
    e.ReplyRetried: lambda event, recorded, values: {} if event.of_action else {"waiting_since": None},
    e.ReplySent: lambda event, recorded, values: {},
    e.ReplyFailed: _failed,
    e.ReplyFateUnknown: lambda event, recorded, values: {},
    e.ReplyDelivered: lambda event, recorded, values: {},
    e.ReplyRead: lambda event, recorded, values: {},
    e.ReplyDelayed: lambda event, recorded, values: {},
    e.ReplyBounced: _bounced,
    e.ReplyComplained: lambda event, recorded, values: {},
    e.EchoReceived: lambda event, recorded, values: {},
    e.MessageEdited: _edited,
    e.MessageDeleted: _deleted,
    e.MessageReacted: _reacted,
    e.CustomerReachChanged: _reach_changed,
    e.ThreadRenamed: lambda event, recorded, values: {},
    e.FilesAnnounced: lambda event, recorded, values: {},
    e.FileArrived: lambda event, recorded, values: {},
    e.FileMissing: lambda event, recorded, values: {},
    e.MessageMoved: _moved,
    e.MessageAdopted: _adopted,
    e.NoteAdded: _noted,
    e.ConversationAssigned: _assigned,
    e.ConversationSnoozed: lambda event, _, values: {"status": "snoozed", "snoozed_until": to_text(event.until)},
    e.ConversationReopened: lambda event, recorded, values: {"status": "open", "snoozed_until": None},
    e.ConversationClosed: lambda *_: {"status": "closed", "snoozed_until": None, "waiting_since": None},
    e.ConversationTagged: _tagged,
    e.ConversationMerged: lambda event, recorded, values: {"merged_into": str(event.into_id)},
    e.ConversationUnmerged: lambda event, recorded, values: {"merged_into": None},
}
