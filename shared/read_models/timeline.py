"""Every entry of every customer's timeline, over all channels; also the messages of one conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import orjson

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.read_models import changes, conversations, groups
from shared.read_models.entries import Body, call_fields, dumps, entry_of, shown

MESSAGE_KINDS = ("text", "call", "form", "note")
AT_ONCE = 500
"""So many entries are looked up by their position."""
_COLUMNS = ("id", "customer_id", "conversation_id", "position", "kind", "changes", "body", "delivery")
_SELECT = "SELECT position, customer_id, conversation_id, body, delivery FROM"


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: entries on the far side of `after` in the given order."""

    limit: int = 50
    after: int | None = None
    descending: bool = False


class Timeline:
    name = "timeline"
    version = 5
    tables = ("timeline", changes.TABLE)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}timeline (
            position BIGINT PRIMARY KEY, id TEXT NOT NULL, customer_id TEXT NOT NULL, conversation_id TEXT NOT NULL,
            kind TEXT NOT NULL, changes BIGINT NOT NULL, body TEXT NOT NULL, delivery TEXT
        );
        CREATE UNIQUE INDEX IF NOT EXISTS {prefix}timeline_id ON {prefix}timeline (id) WHERE changes = 1;
        {changes.schema(prefix)}
        """

    def indexes(self, prefix: str) -> str:
        return f"""
        CREATE INDEX IF NOT EXISTS {prefix}timeline_customer ON {prefix}timeline (customer_id, position);
        CREATE INDEX IF NOT EXISTS {prefix}timeline_conversation ON {prefix}timeline (conversation_id, position)
        """

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        heads: list[tuple[UUID, UUID, UUID | str]] = []
        rests: list[tuple[int, str, int, str, str | None]] = []
        changed: list[Any] = []
        for recorded in events:
            body = entry_of(recorded)
            if body is not None:
                event: Any = recorded.event
                delivery = _delivery("queued", recorded) if isinstance(event, _REQUESTS) else None
                kind = body["kind"]
                may_change = int(body["direction"] != "inbound" or kind == "call" or "stands_in" in body)
                heads.append((body["id"], event.customer_id, getattr(event, "conversation_id", None) or ""))
                rests.append((recorded.position, kind, may_change, dumps(body), delivery))
            if type(recorded.event) in _CHANGES or getattr(recorded.event, "edited_before", False):
                changed.append(recorded)
        texts = msgspec.to_builtins(heads)  # str() of each id costs more than all else here
        rows = [(*head, *rest) for head, rest in zip(texts, rests, strict=True)]
        tx.insert_many(f"{prefix}timeline", _COLUMNS, rows)
        became = [row for recorded in changed if (row := changes.change_of(recorded))]
        tx.insert_many(f"{prefix}{changes.TABLE}", changes.COLUMNS, became)
        deliveries: dict[str, object] = {}
        for recorded in changed:
            _change(tx, recorded, prefix, deliveries)
        tx.set_many(f"{prefix}timeline", "delivery", "id", deliveries, "changes = 1")


READ_MODEL = Timeline()


_REQUESTS = (e.ReplyRequested, e.ActionRequested)
_NOTICES: dict[type, str] = {
    e.ReplyDelivered: "delivered",
    e.ReplyRead: "read",
    e.ReplyDelayed: "delayed",
    e.ReplyBounced: "bounced",
    e.ReplyComplained: "complained",
}
_CHANGES = {
    e.CallProgressed, e.MessageExtended, e.ReplyRetried, e.ReplySent, e.ReplyFailed, e.ReplyFateUnknown, *_NOTICES,
    e.MessageEdited, e.MessageDeleted, e.MessageReacted, e.MessageMoved, e.FilesAnnounced, e.FileArrived, e.FileMissing,
    e.CustomerUnmerged,
}  # fmt: skip


def _change(tx: Transaction, recorded: e.Recorded, prefix: str, deliveries: dict[str, object]) -> None:
    """Bring an entry that stands already up to date; `deliveries`, by reply, are written together."""
    match recorded.event:
        case e.CallProgressed() as event:
            row = tx.row(f"SELECT body FROM {prefix}timeline WHERE id = ? AND changes = 1", (str(event.message_id),))
            if row is not None:
                body = {**orjson.loads(row[0]), "call": call_fields(event.call)}
                sql = f"UPDATE {prefix}timeline SET body = ? WHERE id = ? AND changes = 1"
                tx.run(sql, (dumps(body), str(event.message_id)))
        case e.ReplyRetried() as event:
            deliveries[str(event.reply_id)] = _delivery("queued", recorded)
        case e.ReplySent() as event:
            delivery = _delivery("sent", recorded, event.tries, external_id=event.external_id)
            deliveries[str(event.reply_id)] = delivery
        case e.ReplyFailed() as event:
            deliveries[str(event.reply_id)] = _delivery("failed", recorded, event.tries, event.error)
        case e.ReplyFateUnknown() as event:
            deliveries[str(event.reply_id)] = _delivery("unknown", recorded, event.tries, event.error)
        case (e.ReplyDelivered() | e.ReplyRead() | e.ReplyDelayed() | e.ReplyBounced() | e.ReplyComplained()) as event:
            _note_delivery(tx, prefix, event, recorded, deliveries)
        case e.MessageMoved() as event:
            sql = (
                f"UPDATE {prefix}timeline SET conversation_id = ?, customer_id = ? WHERE conversation_id = ? AND id = ?"
            )
            ids = (event.to_conversation_id, event.to_customer_id, event.conversation_id, event.message_id)
            tx.run(sql, [str(id_) for id_ in ids])
        case e.CustomerUnmerged() as event:  # what was merged by mistake was never one
            tx.run(f"DELETE FROM {prefix}timeline WHERE id = ? AND changes = 1", (str(event.merge_id),))
        case e.MessageReceived() as event:
            _end_standing_in(tx, prefix, event)
        case e.MessageExtended() as event if event.message.edited_before:
            _end_standing_in(tx, prefix, event.message)


def _end_standing_in(tx: Transaction, prefix: str, message: e.MessageReceived) -> None:
    """A new version stood there before what it changes came."""
    tx.run(f"DELETE FROM {prefix}timeline WHERE id = ? AND changes = 1", (str(message.said_id),))


def _note_delivery(
    tx: Transaction, prefix: str, event: e.Notice, recorded: e.Recorded, deliveries: dict[str, object]
) -> None:
    """Keep what was said of a reply; a bounce is the last word, all else only says that it was sent."""
    known = deliveries.get(str(event.reply_id)) or _known_delivery(tx, prefix, event.reply_id)
    if known is None:
        return
    said, at = _NOTICES[type(event)], to_text(recorded.occurred_at)
    delivery = orjson.loads(str(known))
    notice: Body = {"state": said, "recipient": event.recipient or None, "code": event.code or None}
    notice |= {"error": event.error or None, "reason": event.reason or None, "hard": event.hard, "at": at}
    delivery.setdefault("notices", []).append(notice)
    if said == "bounced":
        delivery |= {"state": said, "error": event.error or event.code or None, "changed_at": at}
    elif said in ("delivered", "read") and delivery["state"] in ("sent", "unknown"):
        delivery |= {"state": "delivered", "error": None, "changed_at": at}
    deliveries[str(event.reply_id)] = dumps(delivery)


def _known_delivery(tx: Transaction, prefix: str, reply_id: UUID) -> str | None:
    row = tx.row(f"SELECT delivery FROM {prefix}timeline WHERE id = ? AND changes = 1", (str(reply_id),))
    return row[0] if row else None


def _delivery(state: str, recorded: e.Recorded, attempts: int = 0, error: str = "", external_id: str = "") -> str:
    at = to_text(recorded.occurred_at)
    return dumps(
        {"state": state, "attempts": attempts, "error": error or None, "changed_at": at, "external_id": external_id}
    )


# --- queries ----------------------------------------------------------------------------------------------


def of_customer(tx: Transaction, customer_id: UUID, page: Page) -> list[Body]:
    """Return a page of everything that happened with a customer and all who are shown as one with them."""
    return _page(tx, "customer_id = ?", groups.members(tx, customer_id), [], page)


def of_conversation(tx: Transaction, conversation_id: UUID, page: Page) -> list[Body]:
    """Return a page of a conversation's messages, calls, forms and notes, also of those merged into it."""
    whose = [str(conversation_id), *conversations.merged_into(tx, conversation_id)]
    marks = ",".join("?" * len(MESSAGE_KINDS))
    return _page(tx, f"conversation_id = ? AND kind IN ({marks})", whose, list(MESSAGE_KINDS), page)


def message(tx: Transaction, message_id: UUID) -> Body | None:
    """Return one entry that we made or that changes (reply, note, call) by its id; others are found by their list."""
    found = tx.rows(f"{_SELECT} timeline WHERE id = ? AND changes = 1", (str(message_id),))
    return _all_shown(tx, found)[0] if found else None


def _page(tx: Transaction, where: str, whose: list[str], parameters: list[object], page: Page) -> list[Body]:
    """`where` begins with the column that is one of `whose`, and goes on with `parameters`."""
    if page.after is not None:
        where += f" AND position {'<' if page.descending else '>'} ?"
        parameters.append(page.after)
    order = f"position {'DESC' if page.descending else 'ASC'}"
    if len(whose) == 1 or page.limit > AT_ONCE:
        sql = f"{_SELECT} timeline WHERE {where}"
        return _all_shown(tx, groups.range_of(tx, sql, whose, parameters, order, page.limit))
    sql = (
        f"SELECT position FROM timeline WHERE {where}"  # from the index alone: of most members' entries no more is read
    )
    positions = [row[0] for row in groups.range_of(tx, sql, whose, parameters, order, page.limit)]
    if not positions:
        return []
    marks = ",".join("?" * len(positions))
    return _all_shown(tx, tx.rows(f"{_SELECT} timeline WHERE position IN ({marks}) ORDER BY {order}", positions))


def _all_shown(tx: Transaction, rows: Sequence[Row]) -> list[Body]:
    """Return entries with what became of them since."""
    bodies = groups.as_one(tx, [_shown(row) for row in rows])
    became = changes.changes_of(tx, [body["id"] for body in bodies])
    of_parts = changes.changes_of(tx, list(changes.parts_of(bodies, became)))
    return [changes.as_it_is(body, became.get(body["id"], ()), of_parts) for body in bodies]


def _shown(row: Row) -> Body:
    position, customer_id, conversation_id, body, delivery = row
    whole = shown(orjson.loads(body))
    state = orjson.loads(delivery) if delivery else None
    if state is not None:
        whole["external_id"] = state.pop("external_id") or None
    head = {"conversation_id": conversation_id or None, "customer_id": customer_id, "position": position}
    return {**whole, **head, "delivery": state}
