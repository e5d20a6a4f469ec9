"""The routing index answers by its indexes, whichever way it is asked."""

from __future__ import annotations

from shared.database.protocol import Database, Transaction
from shared.event_store.store import EventStore


def plan(tx: Transaction) -> str:
    """Return how copies are looked for; a small table would be read whole by PostgreSQL."""
    explain = "EXPLAIN QUERY PLAN"
    if tx.dialect == "postgres":
        tx.run("SET LOCAL enable_seqscan TO off")
        explain = "EXPLAIN"
    return str(tx.rows(f"{explain} SELECT id FROM routing_copies WHERE copy_of IN ('a', 'b')"))


async def test_copies_are_found_by_what_they_are_copies_of_without_reading_all(
    database: Database, store: EventStore
) -> None:
    assert "routing_copies_of" in await database.read(plan)
