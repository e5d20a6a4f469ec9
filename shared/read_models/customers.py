"""Customers with their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import orjson

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.read_models.cards import SHOWN
from shared.read_models.entries import Body, dumps


class Customers:
    name = "customers"
    version = 3
    tables = ("customers",)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}customers (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, identities TEXT NOT NULL,
            created_at TEXT NOT NULL, position BIGINT NOT NULL
        )
        """

    def indexes(self, prefix: str) -> str:
        return f"""
        CREATE INDEX IF NOT EXISTS {prefix}customers_position ON {prefix}customers (position)
        """

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        rows = [_row(r, r.event) for r in events if isinstance(r.event, e.CustomerRegistered)]
        tx.insert_many(f"{prefix}customers", _COLUMNS, rows)
        for recorded in events:
            if isinstance(recorded.event, e.IdentityLinked):
                _link(tx, recorded.event, prefix)
            elif isinstance(recorded.event, e.CardChanged):
                _rename(tx, recorded.event, prefix)


READ_MODEL = Customers()

_COLUMNS = ("id", "name", "address", "identities", "created_at", "position")
_SELECT = (
    "SELECT c.id, c.name, c.identities, c.created_at, c.position,"
    " (SELECT count(*) FROM conversations v WHERE v.customer_id = c.id) FROM customers c"
)


def _link(tx: Transaction, event: e.IdentityLinked, prefix: str) -> None:
    where = (str(event.customer_id),)
    row = tx.row(f"SELECT identities FROM {prefix}customers WHERE id = ?", where)
    if row is not None:
        identities = dumps([*orjson.loads(row[0]), _identity(event.address)])
        tx.run(f"UPDATE {prefix}customers SET identities = ? WHERE id = ?", (identities, *where))


def _rename(tx: Transaction, event: e.CardChanged, prefix: str) -> None:
    for change in event.changes:
        if change.field == "name":
            values = ("".join(change.after), str(event.customer_id))
            tx.run(f"UPDATE {prefix}customers SET name = ? WHERE id = ?", values)


def _identity(address: e.Address) -> Body:
    return {"kind": address.kind, "address": address.address, "name": address.name}


def _row(recorded: e.Recorded, event: e.CustomerRegistered) -> Row:
    address = event.address
    identities = dumps([_identity(address)])
    head = (str(event.customer_id), event.name, address.address, identities)
    return (*head, to_text(recorded.recorded_at), recorded.position)


def customer(tx: Transaction, customer_id: UUID) -> Body | None:
    """Return one customer as the API shows it."""
    row = tx.row(f"{_SELECT} WHERE c.id = ?", (str(customer_id),))
    return _shown(row) if row else None


def page(tx: Transaction, before: int | None, limit: int) -> list[Body]:
    """Return customers, the newest first; each with `position` for the cursor."""
    where = f"WHERE {SHOWN}" + (" AND c.position < ?" if before is not None else "")
    parameters = [limit] if before is None else [before, limit]
    return [_shown(row) for row in tx.rows(f"{_SELECT} {where} ORDER BY c.position DESC LIMIT ?", parameters)]


def _shown(row: Row) -> Body:
    id_, name, identities, created_at, position, conversations = row
    return {
        "id": id_,
        "name": name or None,
        "identities": orjson.loads(identities),
        "created_at": created_at,
        "conversations": conversations,
        "position": position,
    }
