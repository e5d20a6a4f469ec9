"""Which events an inbound item or a reply has led to, by the first eight bytes of its id.

Ids may have these in common: who looks something up compares the whole id with that in the event.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain import events as e


class Causes:
    name = "causes"
    version = 1
    tables = ("causes",)

    def schema(self, prefix: str) -> str:
        return f"CREATE TABLE IF NOT EXISTS {prefix}causes (position BIGINT PRIMARY KEY, cause BIGINT NOT NULL)"

    def indexes(self, prefix: str) -> str:
        return f"CREATE INDEX IF NOT EXISTS {prefix}causes_cause ON {prefix}causes (cause, position)"

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        rows = [(recorded.position, _key(recorded.cause)) for recorded in events if recorded.cause is not None]
        tx.insert_many(f"{prefix}causes", ("position", "cause"), rows)


READ_MODEL = Causes()


def _key(cause: UUID) -> int:
    return (cause.int >> 64) - (1 << 63)


def caused_by(tx: Transaction, cause: UUID, limit: int) -> list[int]:
    """Return the positions of the first events that may have this cause."""
    sql = "SELECT position FROM causes WHERE cause = ? ORDER BY position LIMIT ?"
    return [position for (position,) in tx.rows(sql, (_key(cause), limit))]
