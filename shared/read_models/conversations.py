"""The list of conversations: one row each with what an operator needs to decide what to open next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.domain import told
from shared.domain.next_step import taken
from shared.ids import text_of, texts_of
from shared.read_models import conversations_past, groups
from shared.read_models.entries import Body

PREVIEW_CHARACTERS = 200
_COLUMNS = (
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
_INDEX = {name: number for number, name in enumerate(_COLUMNS)}
_POSITION, _CHANGED_AT = _INDEX["position"], _INDEX["changed_at"]
_STATUS, _MERGED_INTO, _COUNT = _INDEX["status"], _INDEX["merged_into"], _INDEX["messages_count"]
_Values = list[Any]


class Conversations:
    name = "conversations"
    version = 6
    tables = ("conversations", conversations_past.TABLE, conversations_past.KEPT, conversations_past.GONE_ON)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}conversations (
            id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, channel_id TEXT NOT NULL, status TEXT NOT NULL,
            subject TEXT NOT NULL, snoozed_until TEXT, assignee_id TEXT, assignee_name TEXT, tags TEXT NOT NULL,
            waiting_since TEXT, reply_to TEXT, reply_channel TEXT, cannot_reply TEXT, unreachable TEXT,
            messages_count BIGINT NOT NULL, last_message TEXT,
            opened_at TEXT NOT NULL, changed_at TEXT NOT NULL, position BIGINT NOT NULL, merged_into TEXT
        );
        {conversations_past.schema(prefix)}
        """

    def indexes(self, prefix: str) -> str:
        return f"""
        CREATE INDEX IF NOT EXISTS {prefix}conversations_status ON {prefix}conversations (status, position);
        CREATE INDEX IF NOT EXISTS {prefix}conversations_customer ON {prefix}conversations (customer_id, position);
        CREATE INDEX IF NOT EXISTS {prefix}conversations_snoozed ON {prefix}conversations (snoozed_until)
            WHERE snoozed_until IS NOT NULL;
        CREATE INDEX IF NOT EXISTS {prefix}conversations_merged ON {prefix}conversations (merged_into)
            WHERE merged_into IS NOT NULL;
        {conversations_past.indexes(prefix)}
        """

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        changes = [recorded for recorded in events if type(recorded.event) in _CHANGES]
        ids = texts_of([_conversation_id(recorded) for recorded in changes])
        opened = {id_ for id_, r in zip(ids, changes, strict=True) if isinstance(r.event, e.ConversationOpened)}
        rows = _take_out(tx, set(ids) - opened, prefix)
        ended: list[Row] = []
        kept: list[Row] = []
        for id_, recorded in zip(ids, changes, strict=True):
            if isinstance(recorded.event, e.ConversationOpened):
                rows[id_] = _opened(id_, recorded.event, recorded)
            elif id_ not in rows:  # how it was opened cannot be read
                if (begun := _begun(id_, recorded)) is None:
                    continue
                rows[id_] = begun
                opened.add(id_)
            else:
                was = rows[id_]
                ended.append(conversations_past.ended(was[_POSITION], id_, _listed_as(was), recorded.position))
            _change(rows[id_], recorded)
            if recorded.version % conversations_past.KEEP_EVERY == 0:
                kept.append((recorded.position, id_, recorded.version, orjson.dumps(rows[id_]).decode()))
        conversations_past.note_merges(tx, changes, prefix)
        tx.insert_many(f"{prefix}{conversations_past.TABLE}", conversations_past.COLUMNS, ended)
        tx.insert_many(f"{prefix}{conversations_past.KEPT}", conversations_past.KEPT_COLUMNS, kept)
        _put_back(tx, rows, opened, prefix)


READ_MODEL = Conversations()


def _conversation_id(recorded: e.Recorded) -> UUID:
    event: Any = recorded.event
    conversation_id: UUID = event.conversation_id
    return conversation_id


def _take_out(tx: Transaction, ids: set[str], prefix: str) -> dict[str, _Values]:
    """Return rows that `_put_back` writes again, every one of them.

    PostgreSQL deletes them at once: a row that is changed goes into every index anew in any case, and to copy it there
    costs half of what an update by its key does.
    """
    table, columns = f"{prefix}conversations", ",".join(_COLUMNS)
    if tx.dialect == "postgres":
        found = tx.rows_in(f"DELETE FROM {table} WHERE id", list(ids), f"RETURNING {columns}")
    else:
        found = tx.rows_in(f"SELECT {columns} FROM {table} WHERE id", list(ids))
    return {row[0]: list(row) for row in found}


def _put_back(tx: Transaction, rows: dict[str, _Values], opened: set[str], prefix: str) -> None:
    table = f"{prefix}conversations"
    if tx.dialect == "postgres":
        tx.insert_many(table, _COLUMNS, list(rows.values()))
        return
    updates = ",".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
    new = [values for id_, values in rows.items() if id_ in opened]
    old = [values for id_, values in rows.items() if id_ not in opened]
    tx.insert_many(table, _COLUMNS, new)
    tx.insert_many(table, _COLUMNS, old, f"ON CONFLICT (id) DO UPDATE SET {updates}")


def _listed_as(values: _Values) -> str:
    """Return the status under which lists have a conversation."""
    status: str = values[_STATUS]
    return conversations_past.HIDDEN if status == "closed" and values[_MERGED_INTO] is not None else status


def _change(values: _Values, recorded: e.Recorded) -> None:
    for name, value in _CHANGES[type(recorded.event)](recorded.event, recorded, values).items():
        values[_INDEX[name]] = value
    values[_CHANGED_AT] = to_text(recorded.recorded_at)
    values[_POSITION] = recorded.position


def _opened(id_: str, event: e.ConversationOpened, recorded: e.Recorded) -> _Values:
    at = to_text(recorded.recorded_at)
    head = [id_, text_of(event.customer_id), text_of(event.channel_id), "open", event.subject]
    return [*head, None, None, None, "[]", None, None, None, None, None, 0, None, at, at, recorded.position, None]


def _begun(id_: str, recorded: e.Recorded) -> _Values | None:
    """Return a conversation by the first event that can be read and says whose it is, on which channel."""
    event: Any = recorded.event
    if not (hasattr(event, "customer_id") and hasattr(event, "channel_id")):
        return None
    opened = e.ConversationOpened(event.conversation_id, event.customer_id, event.channel_id, "", "", "")
    return _opened(id_, opened, recorded)


def _received(event: e.MessageReceived, recorded: e.Recorded, values: _Values) -> Body:
    said = (event.message_id, event.direction, event.kind, event.sender.name, event.text)
    changed = _said(*said, recorded, values, event.call)
    if event.edited_before:
        changed = {}  # its new version stands for it already
    if (event.call is not None and taken(event.call)) or event.answers:
        changed["waiting_since"] = None
    if event.direction == "outbound" or (not event.waits and values[_INDEX["reply_to"]] is not None):
        return changed
    waiting = values[_INDEX["waiting_since"]]
    if event.call is not None and taken(event.call):
        waiting = None
    elif event.waits and (event.call is None or event.call.state == "missed"):
        waiting = waiting or to_text(recorded.occurred_at)
    return {
        **changed,
        "waiting_since": waiting,
        **_target(event),
        "unreachable": None if event.waits else values[_INDEX["unreachable"]],
    }


def _extended(event: e.MessageExtended, recorded: e.Recorded, values: _Values) -> Body:
    """A further part is no further message; what stood in for it is none any more."""
    message = event.message
    changed: Body = {}
    if message.edited_before:
        changed["messages_count"] = values[_COUNT] - 1
    last = orjson.loads(values[_INDEX["last_message"]] or "{}")
    if last.get("id") == str(message.message_id) and not last["preview"]:
        changed["last_message"] = orjson.dumps({**last, "preview": _preview(message.text)}).decode()
    if message.waits:
        waiting = values[_INDEX["waiting_since"]] or to_text(recorded.occurred_at)
        changed |= {"waiting_since": waiting, "unreachable": None, **_target(message)}
    return changed


def _said(
    id_: UUID,
    direction: str,
    kind: str,
    author: str,
    text: str,
    recorded: e.Recorded,
    values: _Values,
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
    }
    return {"last_message": orjson.dumps(last).decode(), "messages_count": values[_COUNT] + 1}


def _last(message: e.MessageReceived, said_at: datetime) -> str:
    call = {"state": message.call.state, "direction": message.call.direction} if message.call else None
    last = {
        "id": str(message.message_id),
        "direction": message.direction,
        "kind": message.kind,
        "author_name": message.sender.name or None,
        "preview": _preview(message.text),
        "occurred_at": to_text(said_at),
        "call": call,
    }
    return orjson.dumps(last).decode()


def _preview(text: str) -> str:
    return " ".join(text[: PREVIEW_CHARACTERS * 2].split())[:PREVIEW_CHARACTERS]


def _progressed(event: e.CallProgressed, recorded: e.Recorded, values: _Values) -> Body:
    changed: Body = {}
    last = orjson.loads(values[_INDEX["last_message"]] or "{}")
    if last.get("id") == str(event.message_id):
        last["call"] = {"state": event.call.state, "direction": event.call.direction}
        changed["last_message"] = orjson.dumps(last).decode()
    if event.call.direction == "inbound" and event.call.state == "missed":
        changed["waiting_since"] = values[_INDEX["waiting_since"]] or to_text(recorded.occurred_at)
    elif taken(event.call):  # they have spoken
        changed["waiting_since"] = None
    return changed


def _replied(event: e.ReplyRequested, recorded: e.Recorded, values: _Values) -> Body:
    """What no person wrote ends no waiting."""
    if event.automatic:
        return {"messages_count": values[_COUNT] + 1}
    said = _said(event.reply_id, "outbound", "text", recorded.actor.name, event.text, recorded, values)
    return {**said, "waiting_since": None}


def _noted(event: e.NoteAdded, recorded: e.Recorded, values: _Values) -> Body:
    return {"messages_count": values[_COUNT] + 1}


def _failed(event: e.ReplyFailed, recorded: e.Recorded, values: _Values) -> Body:
    """The client still waits: the answer did not arrive."""
    if event.of_action:
        return {}
    return {"waiting_since": values[_INDEX["waiting_since"]] or to_text(recorded.occurred_at)}


def _bounced(event: e.ReplyBounced, recorded: e.Recorded, values: _Values) -> Body:
    if event.earlier:
        return {}
    return {"waiting_since": values[_INDEX["waiting_since"]] or to_text(recorded.occurred_at)}


def _edited(event: e.MessageEdited, recorded: e.Recorded, values: _Values) -> Body:
    """A version of a message that has not come stands for it; otherwise the newest one is what was said."""
    if not event.known and event.sender is not None:
        author = event.sender.name
        waiting = values[_INDEX["waiting_since"]] or to_text(recorded.occurred_at)
        said = _said(event.message_id, "inbound", "text", author, event.text, recorded, values)
        return {**said, "waiting_since": waiting}
    last = orjson.loads(values[_INDEX["last_message"]] or "{}")
    at = to_text(recorded.occurred_at)
    if last.get("id") != str(event.message_id) or "deleted_at" in last or last.get("edited_at", "") > at:
        return {}
    return {"last_message": orjson.dumps({**last, "preview": _preview(event.text), "edited_at": at}).decode()}


def _deleted(event: e.MessageDeleted, recorded: e.Recorded, values: _Values) -> Body:
    last = orjson.loads(values[_INDEX["last_message"]] or "{}")
    if last.get("id") != str(event.message_id):
        return {}
    at = to_text(recorded.occurred_at)
    return {"last_message": orjson.dumps({**last, "preview": "", "deleted_at": at}).decode()}


def _reacted(event: e.MessageReacted, recorded: e.Recorded, values: _Values) -> Body:
    """Somebody who reacts needs no more words; but what the client wrote after it still waits."""
    waiting = values[_INDEX["waiting_since"]]
    ends = event.reactions and waiting is not None and waiting <= to_text(recorded.occurred_at)
    return {"waiting_since": None} if ends else {}


def _reach_changed(event: e.CustomerReachChanged, recorded: e.Recorded, values: _Values) -> Body:
    return {"unreachable": None if event.reachable else event.reason or told.BLOCKED}


def _moved(event: e.MessageMoved, recorded: e.Recorded, values: _Values) -> Body:
    """What is left is as if the message had never been here."""
    changed: Body = {"messages_count": values[_COUNT] - 1}
    last = orjson.loads(values[_INDEX["last_message"]] or "{}")
    if last.get("id") == str(event.message_id):
        changed["last_message"] = _last(event.left, event.left_at) if event.left and event.left_at else None
    if values[_INDEX["waiting_since"]] == to_text(event.said_at):
        waits = event.left is not None and event.left.waits and event.left_at is not None
        changed["waiting_since"] = to_text(event.left_at) if waits and event.left_at >= event.said_at else None  # type: ignore[operator]
    if event.was_to_be_answered:
        nobody = {"reply_to": None, "reply_channel": None, "cannot_reply": None}
        changed |= _target(event.left) if event.left else nobody
    return changed


def _adopted(event: e.MessageAdopted, recorded: e.Recorded, values: _Values) -> Body:
    message, at = event.message, to_text(event.said_at)
    changed: Body = {"messages_count": values[_COUNT] + 1}
    last = orjson.loads(values[_INDEX["last_message"]] or "{}")
    is_newest = last.get("occurred_at", "") <= at
    if is_newest:
        changed["last_message"] = _last(message, event.said_at)
        if message.waits and (message.call is None or message.call.state == "missed"):
            changed["waiting_since"] = values[_INDEX["waiting_since"]] or at
    is_answered = event.is_newest or values[_INDEX["reply_to"]] is None
    if message.direction == "inbound" and is_answered and (message.waits or values[_INDEX["reply_to"]] is None):
        changed |= {**_target(message), "unreachable": None if message.waits else values[_INDEX["unreachable"]]}
    return changed


def _target(message: e.MessageReceived) -> Body:
    """To whom an answer to this message goes."""
    return {
        "reply_to": (message.reply_to or message.sender).address,
        "reply_channel": text_of(message.reply_channel or message.channel_id),
        "cannot_reply": message.cannot_reply or None,
    }


def _assigned(event: e.ConversationAssigned, recorded: e.Recorded, values: _Values) -> Body:
    id_ = str(event.operator_id) if event.operator_id else None
    return {"assignee_id": id_, "assignee_name": event.operator_name if id_ else None}


def _tagged(event: e.ConversationTagged, recorded: e.Recorded, values: _Values) -> Body:
    tags = (set(orjson.loads(values[_INDEX["tags"]])) | set(event.added)) - set(event.removed)
    return {"tags": orjson.dumps(sorted(tags)).decode()}


_CHANGES: dict[type, Callable[[Any, e.Recorded, _Values], Body]] = {
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


# --- queries ----------------------------------------------------------------------------------------------

_SELECT = (
    f"SELECT c.position, {','.join('c.' + name for name in _COLUMNS)}, u.id, u.name, u.address FROM conversations c"
    " LEFT JOIN customer_groups g ON g.member_id = c.customer_id"
    " JOIN customers u ON u.id = coalesce(g.root_id, c.customer_id)"
)
"""With whoever stands for the customer it belongs to."""
_STANDS = "(c.merged_into IS NULL OR c.status <> 'closed')"
"""One that is merged into another is seen again only when something happens in it: an old answer bounces."""


def conversation(tx: Transaction, conversation_id: UUID) -> Body | None:
    """Return one conversation as the API shows it, without the channel's name."""
    row = tx.row(f"{_SELECT} WHERE c.id = ?", (str(conversation_id),))
    return _shown(row) if row else None


def page(tx: Transaction, status: str | None, customer_id: UUID | None, before: int | None, limit: int) -> list[Body]:
    """Return conversations, the one changed last first; `before`: a position from an earlier page.

    `customer_id`: those of everybody who is shown as one with this customer.
    """
    given: list[tuple[str, object]] = [("c.position < ?", before)] if before is not None else []
    if customer_id is None:  # an index of all by position would be written to for each message
        whose, each = [status] if status else conversations_past.STATUSES, "c.status = ?"
    else:
        whose, each = groups.members(tx, customer_id), "c.customer_id = ?"
        given += [("c.status = ?", status)] if status else []
    sql = f"{_SELECT} WHERE {' AND '.join([each, _STANDS, *(where for where, _ in given)])}"
    found = groups.range_of(tx, sql, whose, [value for _, value in given], "c.position DESC", limit)
    return [_shown(row) for row in found]


def every_one(tx: Transaction) -> list[Body]:
    """Return all conversations, also those that go on in others, the one changed last first."""
    return [_shown(row) for row in tx.rows(f"{_SELECT} ORDER BY c.position DESC")]


def is_listed(body: Body) -> bool:
    """Return whether a conversation, as the API shows it, is in lists: `page` has those."""
    return body["merged_into"] is None or body["status"] != "closed"


def are_merged_across(tx: Transaction, customer_ids: Sequence[str]) -> bool:
    """Return whether a conversation of some customers goes on in one of others, or the other way round."""
    join = "SELECT s.customer_id, i.customer_id FROM conversations s JOIN conversations i ON i.id = s.merged_into"
    rows = [r for side in "si" for r in tx.rows_in(f"{join} WHERE {side}.customer_id", list(customer_ids))]
    return any((one in customer_ids) != (other in customer_ids) for one, other in rows)


def merged_into(tx: Transaction, conversation_id: UUID) -> list[str]:
    """Return the ids of conversations that go on in this one."""
    sql = "SELECT id FROM conversations WHERE merged_into = ? AND merged_into IS NOT NULL"
    return [id_ for (id_,) in tx.rows(sql, (str(conversation_id),))]


def restore(tx: Transaction, bodies: Sequence[str]) -> None:
    """Put versions that were kept whole into an empty table, so that events go on from there."""
    tx.insert_many("conversations", _COLUMNS, [tuple(orjson.loads(body)) for body in bodies])


def owner_of(body: str) -> UUID:
    """Return whose conversation a version that was kept whole is."""
    return UUID(orjson.loads(body)[_INDEX["customer_id"]])


def ids_of_customer(tx: Transaction, customer_id: UUID) -> list[UUID]:
    """Return the ids of all conversations of a customer, without those of others shown as one with them."""
    return [UUID(i) for (i,) in tx.rows("SELECT id FROM conversations WHERE customer_id = ?", (str(customer_id),))]


def due_snoozes(tx: Transaction, now: str, limit: int = 100) -> list[UUID]:
    """Return conversations whose snooze has run out."""
    sql = "SELECT id FROM conversations WHERE snoozed_until <= ? ORDER BY snoozed_until LIMIT ?"
    return [UUID(id_) for (id_,) in tx.rows(sql, (now, limit))]


def next_snooze(tx: Transaction) -> str | None:
    """Return the earliest time a conversation sleeps until."""
    row = tx.row("SELECT min(snoozed_until) FROM conversations WHERE snoozed_until IS NOT NULL")
    return row[0] if row else None


def _shown(row: Row) -> Body:
    values = dict(zip(_COLUMNS, row[1:], strict=False))
    values["customer_id"], name, address = row[-3:]
    assignee, reply_to, last = values.pop("assignee_id"), values.pop("reply_to"), values.pop("last_message")
    assignee_name = values.pop("assignee_name")
    reply_channel = values.pop("reply_channel")
    unreachable = values.pop("unreachable")
    return {
        **values,
        "customer": {"id": values["customer_id"], "name": name or None, "address": address},
        "assignee": {"id": assignee, "name": assignee_name} if assignee else None,
        "tags": orjson.loads(values["tags"]),
        "unanswered": values["waiting_since"] is not None,
        "last_message": orjson.loads(last) if last else None,
        "reply_to": [reply_to] if reply_to else None,
        "reply_channel_id": reply_channel,
        "cannot_reply": unreachable or values["cannot_reply"],
    }
