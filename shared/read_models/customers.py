"""Customers with their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.read_models.entries import Body


class Customers:
    name = "customers"
    version = 1
    tables = ("customers", "identities")

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}customers (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, created_at TEXT NOT NULL,
            position BIGINT NOT NULL
        );
        CREATE INDEX IF NOT EXISTS {prefix}customers_position ON {prefix}customers (position);
        CREATE TABLE IF NOT EXISTS {prefix}identities (
            kind TEXT NOT NULL, address TEXT NOT NULL, name TEXT NOT NULL, customer_id TEXT NOT NULL,
            PRIMARY KEY (kind, address)
        );
        CREATE INDEX IF NOT EXISTS {prefix}identities_customer ON {prefix}identities (customer_id)
        """

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        registered = [(r, r.event) for r in events if isinstance(r.event, e.CustomerRegistered)]
        tx.insert_many(
            f"{prefix}customers",
            ("id", "name", "address", "created_at", "position"),
            [
                (str(c.customer_id), c.name, c.address.address, to_text(r.recorded_at), r.position)
                for r, c in registered
            ],
        )
        tx.insert_many(
            f"{prefix}identities",
            ("kind", "address", "name", "customer_id"),
            [(c.address.kind, c.address.address, c.address.name, str(c.customer_id)) for _, c in registered],
        )


READ_MODEL = Customers()


_SELECT = (
    "SELECT c.id, c.name, c.created_at, c.position,"
    " (SELECT count(*) FROM conversations v WHERE v.customer_id = c.id) FROM customers c"
)


def customer(tx: Transaction, customer_id: UUID) -> Body | None:
    """Return one customer as the API shows it."""
    row = tx.row(f"{_SELECT} WHERE c.id = ?", (str(customer_id),))
    return _shown(tx, row) if row else None


def page(tx: Transaction, before: int | None, limit: int) -> list[Body]:
    """Return customers, the newest first; each with `position` for the cursor."""
    where = "WHERE c.position < ?" if before is not None else ""
    parameters = [limit] if before is None else [before, limit]
    return [_shown(tx, row) for row in tx.rows(f"{_SELECT} {where} ORDER BY c.position DESC LIMIT ?", parameters)]


def by_address(tx: Transaction, address: str) -> list[UUID]:
    """Return the customers with an address, whatever its kind."""
    rows = tx.rows("SELECT DISTINCT customer_id FROM identities WHERE address = ?", (address,))
    return [UUID(id_) for (id_,) in rows]


def _shown(tx: Transaction, row: Row) -> Body:
    id_, name, created_at, position, conversations = row
    identities = tx.rows(
        "SELECT kind, address, name FROM identities WHERE customer_id = ? ORDER BY kind, address", (id_,)
    )
    return {
        "id": id_,
        "name": name or None,
        "identities": [{"kind": kind, "address": address, "name": alias} for kind, address, alias in identities],
        "created_at": created_at,
        "conversations": conversations,
        "position": position,
    }
