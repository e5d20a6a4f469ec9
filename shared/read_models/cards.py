"""Customers' cards as they stand, one row for each that was ever written on; names stand with the customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import card as domain
from shared.domain import events as e
from shared.domain.card_values import shown as value_shown
from shared.domain.own_fields import OWN, OwnField
from shared.read_models.entries import Body, dumps

_COLUMNS = ("customer_id", "fields", "consents", "retired", "position", "changed_at")
_EVENTS = (e.CardChanged, e.ConsentGiven, e.ConsentWithdrawn, e.CustomerRetired, e.CustomerRestored)


class Cards:
    name = "cards"
    version = 1
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
                self.fields = {name: values for name, values in self.fields.items() if values}
            case e.ConsentGiven() | e.ConsentWithdrawn():
                self.consents[event.channel] = consent_fields(event)
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
    " AND NOT EXISTS (SELECT 1 FROM conversations v WHERE v.customer_id = c.id))"
)
"""Which customers `c` a list shows: not those whose import was undone, unless there was contact since."""


def card(tx: Transaction, customer_id: UUID, own: Mapping[str, OwnField]) -> Body | None:
    """Return a card as the API shows it, None when there is no such customer. `own`: the definitions of own fields."""
    row = tx.row(f"{_SELECT} WHERE c.id = ?", (str(customer_id),))
    return _shown(row, own) if row else None


def page(tx: Transaction, own: Mapping[str, OwnField], after: int, limit: int) -> list[Body]:
    """Return the cards of customers in the order they were registered, as `card`, with identities and position."""
    sql = f"{_SELECT} WHERE c.position > ? AND {SHOWN} ORDER BY c.position LIMIT ?"
    return [_shown(row, own) | {"identities": orjson.loads(row[1])} for row in tx.rows(sql, (after, limit))]


def count(tx: Transaction) -> int:
    """Return how many cards `page` gives in all."""
    row = tx.row(f"SELECT count(*) FROM customers c LEFT JOIN cards d ON d.customer_id = c.id WHERE {SHOWN}")
    return int(row[0]) if row else 0


_SELECT = (
    "SELECT c.id, c.identities, c.name, c.position, d.fields, d.consents, d.retired, d.changed_at"
    " FROM customers c LEFT JOIN cards d ON d.customer_id = c.id"
)


def _shown(row: Row, own: Mapping[str, OwnField]) -> Body:
    id_, _, name, position, fields, consents, retired, changed_at = row
    held = orjson.loads(fields) if fields else {}
    held["name"] = [name] if name else []
    values = partial(_value, held)
    return {
        "customer_id": id_,
        **{field: values(field, type_) for field, type_ in domain.FIELDS.items()},
        "own": {f.key: values(OWN + f.key, f.type) for f in own.values() if not f.removed},
        "consents": orjson.loads(consents) if consents else {},
        "retired": bool(retired),
        "changed_at": changed_at or None,
        "position": position,
    }


def _value(held: Mapping[str, list[str]], field: str, type_: str) -> Any:
    return value_shown(type_, tuple(held.get(field, ())))
