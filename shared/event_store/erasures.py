"""Who was erased, in order: written in the transaction of CustomerErased, and looked at in that of every append.

So nothing that a process remembers of a customer is used after their erasure: not their key, not their address.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from shared.database.protocol import Transaction

SCHEMA = "CREATE TABLE IF NOT EXISTS erased_customers (number BIGINT PRIMARY KEY, customer_id TEXT NOT NULL)"


@dataclass(frozen=True, slots=True)
class Erased:
    """The customers whose ids will not be used again, and the number of the last erasure."""

    number: int
    customers: frozenset[UUID]


def read(tx: Transaction) -> Erased:
    rows = tx.rows("SELECT number, customer_id FROM erased_customers")
    return Erased(max((number for number, _ in rows), default=0), frozenset(UUID(id_) for _, id_ in rows))


def number(tx: Transaction) -> int:
    """Return the number of the last erasure."""
    row = tx.row("SELECT MAX(number) FROM erased_customers")
    return int(row[0] or 0) if row else 0


def add(tx: Transaction, customers: Iterable[UUID]) -> None:
    """Raises a unique violation when somebody else is being erased at the same moment."""
    if not (wanted := list(customers)):
        return
    rows = [(n, str(customer_id)) for n, customer_id in enumerate(wanted, number(tx) + 1)]
    tx.insert_many("erased_customers", ("number", "customer_id"), rows)
