"""Rows that have what is personal in plain words, outside of the log and of read models: deleted, or emptied."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from shared.database.protocol import Database, Transaction

TABLES = (
    "raw_items", "routing_addresses", "routing_external", "routing_threads", "routing_topics", "routing_call_backs",
    "deliveries", "fetches",
)  # fmt: skip
"""All that `forget` touches: where nothing may be left in the files either."""
ERASED = "the client was erased before this was sent"
_PART = 500


def forget(
    database: Database,
    customers: Collection[UUID],
    conversations: Collection[UUID],
    items: Collection[UUID],
    positions: Sequence[int],
) -> None:
    """Leave nothing of these customers, conversations, inbound items and events. May be repeated."""
    for part in _parts(sorted(map(str, customers))):
        _run(database, part, "DELETE FROM routing_addresses WHERE customer_id")
        for table in ("routing_external", "routing_threads", "routing_topics", "routing_call_backs"):
            _run(database, part, f"DELETE FROM {table} WHERE customer_id")
    for part in _parts(sorted(map(str, conversations))):
        with database.writing() as tx:
            _empty_deliveries(tx, part)
    for part in _parts(sorted(map(str, items))):
        _run(database, part, "DELETE FROM fetches WHERE inbound_id")
    for numbers in _parts(positions):
        _run(database, numbers, "DELETE FROM raw_items WHERE position")


def forget_of_channel(database: Database, channel_id: UUID, until: str) -> None:
    """Leave nothing in the ledger of what was sent by a channel before a moment, nor of files fetched."""
    values = (b"", str(channel_id), until)
    ended = "channel_id = ? AND changed_at < ? AND state IN ('sent', 'failed', 'unknown')"
    with database.writing() as tx:
        tx.run(
            f"UPDATE deliveries SET payload = ?, error = '', external_id = '', known_as = '[]' WHERE {ended}", values
        )
        tx.run("DELETE FROM fetches WHERE state = 'told' AND channel_id = ? AND due_at < ?", values[1:])


def _empty_deliveries(tx: Transaction, conversations: Sequence[object]) -> None:
    """What waits to be sent is not sent; the ledger keeps that it was tried, how often and how it ended."""
    marks = ",".join("?" * len(conversations))
    where = f"conversation_id IN ({marks})"
    tx.run(
        f"UPDATE deliveries SET state = 'failed', code = 'erased', owner = '' WHERE {where}"
        " AND state IN ('queued', 'waiting')",
        conversations,
    )
    tx.run(
        f"UPDATE deliveries SET error = CASE code WHEN 'erased' THEN '{ERASED}' ELSE '' END, external_id = '',"
        f" known_as = '[]', payload = CASE state WHEN 'sending' THEN payload ELSE ? END WHERE {where}",
        (b"", *conversations),
    )


def _run(database: Database, values: Sequence[object], sql: str) -> None:
    with database.writing() as tx:
        tx.run(f"{sql} IN ({','.join('?' * len(values))})", values)


def _parts(values: Sequence[object]) -> Iterator[Sequence[object]]:
    for start in range(0, len(values), _PART):
        yield values[start : start + _PART]
