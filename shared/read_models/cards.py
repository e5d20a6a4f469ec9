"""Customers' cards as they stand, one row for each that was ever written on; names stand with the customers.

The card of a group is made of its members' when it is asked for (`domain.card.together` says how), and what is changed
on it is changed on the card of who stands for all: so un-merging gives everybody back exactly what is their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import card as domain
from shared.domain import events as e
from shared.domain.card_values import shown as value_shown
from shared.domain.own_fields import OWN, OwnField
from shared.read_models import groups
from shared.read_models.entries import Body, dumps

_COLUMNS = ("customer_id", "fields", "consents", "retired", "position", "changed_at")
_EVENTS = (e.CardChanged, e.ConsentGiven, e.ConsentWithdrawn, e.CustomerRetired, e.CustomerRestored)


class Cards:
    name = "cards"
    version = 2
    tables = ("cards",)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}cards (
            customer_id TEXT PRIMARY KEY, fields TEXT NOT NULL, consents TEXT NOT NULL, retired BIGINT NOT NULL,
            position BIGINT NOT NULL, changed_at TEXT NOT NULL
        )
        """

    def indexes(self, prefix: str) -> str:
        return f"CREATE INDEX IF NOT EXISTS {prefix}cards_retired ON {prefix}cards (customer_id) WHERE retired = 1"

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        changed = [(recorded, recorded.event) for recorded in events if isinstance(recorded.event, _EVENTS)]
        if not changed:
            return
        ids = list(dict.fromkeys(str(event.customer_id) for _, event in changed))
        sql = f"SELECT {', '.join(_COLUMNS)} FROM {prefix}cards WHERE customer_id"
        rows = {row[0]: _Row(row) for row in tx.rows_in(sql, ids)}
        for recorded, event in changed:
            id_ = str(event.customer_id)
            rows.setdefault(id_, _Row((id_, "{}", "{}", 0, 0, ""))).take(event, recorded)
        sets = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
        tail = f"ON CONFLICT (customer_id) DO UPDATE SET {sets}"
        tx.insert_many(f"{prefix}cards", _COLUMNS, [row.values() for row in rows.values()], tail)


READ_MODEL = Cards()


class _Row:
    """One row while events are taken in."""

    def __init__(self, row: Row) -> None:
        self.id = row[0]
        self.fields: dict[str, Any] = orjson.loads(row[1])
        self.consents: dict[str, Any] = orjson.loads(row[2])
        self.retired, self.position, self.changed_at = row[3:]

    def take(self, event: e.CardEvent, recorded: e.Recorded) -> None:
        match event:
            case e.CardChanged():
                self.fields |= {change.field: change.after for change in event.changes}
                for change in event.changes if event.undone else ():
                    if not change.after and change.field not in event.emptied:
                        del self.fields[change.field]
            case e.ConsentGiven() | e.ConsentWithdrawn():
                self.consents[event.channel] = consent_fields(event) | {"position": recorded.position}
            case e.CustomerRetired():
                self.retired = 1
            case e.CustomerRestored():
                self.retired = 0
        self.position, self.changed_at = recorded.position, to_text(recorded.recorded_at)

    def values(self) -> Row:
        return (self.id, dumps(self.fields), dumps(self.consents), self.retired, self.position, self.changed_at)


def consent_fields(said: e.ConsentGiven | e.ConsentWithdrawn) -> Body:
    """Return a consent as the API shows it."""
    state = "given" if isinstance(said, e.ConsentGiven) else "withdrawn"
    return {"state": state, "text": said.text, "at": to_text(said.at), "how": said.how}


# --- queries ----------------------------------------------------------------------------------------------

SHOWN = (
    "NOT EXISTS (SELECT 1 FROM cards k WHERE k.customer_id = c.id AND k.retired = 1"
    " AND NOT EXISTS (SELECT 1 FROM conversations v WHERE v.customer_id = c.id)"
    " AND NOT EXISTS (SELECT 1 FROM customer_groups h WHERE h.root_id = c.id))"
)
"""Which customers `c` a list shows: not those whose import was undone, unless there was contact since or they stand for
others too.
"""
_ALONE = "NOT EXISTS (SELECT 1 FROM customer_groups g WHERE g.member_id = c.id)"


def card(tx: Transaction, customer_id: UUID, own: Mapping[str, OwnField]) -> Body | None:
    """Return a card as the API shows it, None when there is no such customer. `own`: the definitions of own fields.

    It is that of all who are shown as one with the customer.
    """
    rows = _of_members(tx, groups.members(tx, customer_id))
    return _shown(rows, own) if rows else None


def page(tx: Transaction, own: Mapping[str, OwnField], after: int, limit: int) -> list[Body]:
    """Return the cards of customers but those merged into others, in the order they were registered, as `card`.

    Each with the identities of all its members, and the position.
    """
    sql = f"{_SELECT} WHERE c.position > ? AND {SHOWN} AND {_ALONE} ORDER BY c.position LIMIT ?"
    found = tx.rows(sql, (after, limit))
    merges = groups.merges(tx, [row[0] for row in found])
    whose = [[row, *_of_members(tx, [merge["id"] for merge in merges.get(row[0], ())])] for row in found]
    return [_shown(rows, own) | {"identities": [i for row in rows for i in orjson.loads(row[1])]} for rows in whose]


def count(tx: Transaction) -> int:
    """Return how many cards `page` gives in all."""
    row = tx.row(f"SELECT count(*) FROM customers c WHERE {SHOWN} AND {_ALONE}")
    return int(row[0]) if row else 0


_SELECT = (
    "SELECT c.id, c.identities, c.name, c.position, d.fields, d.consents, d.retired, d.changed_at"
    " FROM customers c LEFT JOIN cards d ON d.customer_id = c.id"
)


def _of_members(tx: Transaction, ids: Sequence[str]) -> list[Row]:
    rows = {row[0]: row for row in tx.rows_in(f"{_SELECT} WHERE c.id", ids)}
    return [rows[id_] for id_ in ids if id_ in rows]


def _shown(rows: Sequence[Row], own: Mapping[str, OwnField]) -> Body:
    """Return the card of a group; of one who is alone, their own."""
    id_, _, name, position, _, _, retired, _ = rows[0]
    held = _held(rows) | {"name": [name] if name else []}

    def value(field: str, type_: str) -> Any:
        return value_shown(type_, tuple(held.get(field, ())))

    return {
        "customer_id": id_,
        **{field: value(field, type_) for field, type_ in domain.FIELDS.items()},
        "own": {f.key: value(OWN + f.key, f.type) for f in own.values() if not f.removed},
        "consents": _consents(rows),
        "retired": bool(retired),
        "changed_at": max(row[7] or "" for row in rows) or None,
        "position": position,
    }


def _held(rows: Sequence[Row]) -> dict[str, list[str]]:
    """As `domain.card.together`: what an emptied field held on the card of another member stays hidden."""
    held: dict[str, list[str]] = orjson.loads(rows[0][4] or "{}")
    for row in rows[1:]:
        held |= {k: values for k, values in orjson.loads(row[4] or "{}").items() if values and k not in held}
    return held


def _consents(rows: Sequence[Row]) -> Body:
    """Return what was said last of each channel, by whichever member."""
    said = [pair for row in rows for pair in orjson.loads(row[5] or "{}").items()]
    last = dict(sorted(said, key=lambda pair: pair[1].get("position", 0)))
    return {channel: {name: each[name] for name in each if name != "position"} for channel, each in last.items()}
