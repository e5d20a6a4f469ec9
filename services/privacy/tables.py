"""Rows that have what is personal in plain words, outside of the log and of read models: deleted, or emptied."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from shared.database.protocol import Database, Transaction
from shared.domain.identity import mailbox_of
from shared.event_store import raw_items, routing

TABLES = (
    "routing_addresses", "routing_external", "routing_threads", "routing_topics", "routing_call_backs",
    "routing_claims", "routing_auto_replies", "deliveries", "fetches", "typing", "webhook_deliveries",
)  # fmt: skip
"""What `forget` touches that has plain words: nothing of them may be left in the files either."""
RAW_ITEMS = "raw_items"
"""Sealed, and the largest by far: what is left of it in the files is unreadable, but where it is older than keys."""
ERASED = "the client was erased before this was sent"
GONE = "the client was erased, or its key was lost, before this was sent"
"""Where a backup is restored, a key that is not there tells no more than that."""
_PART = 500


def forget(
    database: Database,
    customers: Collection[UUID],
    conversations: Collection[UUID],
    items: Collection[UUID],
    positions: Sequence[int],
    addresses: Collection[tuple[str, str]] = (),
) -> None:
    """Leave nothing of these customers, conversations, inbound items, events and addresses. May be repeated."""
    with database.writing() as tx:
        routing.forget(tx, sorted(customers))
    for part in _parts(sorted(map(str, conversations))):
        with database.writing() as tx:
            _empty_deliveries(tx, part)
        _run(database, part, "DELETE FROM typing WHERE conversation_id")
    for part in _parts(sorted(map(str, items))):
        _run(database, part, "DELETE FROM fetches WHERE inbound_id")
    for numbers in _parts(positions):
        _run(database, numbers, "DELETE FROM raw_items WHERE position")
    with database.writing() as tx:
        _forget_addresses(tx, addresses)
        _forget_answers(tx, sorted(positions))


def has_plain_raw_items(database: Database, positions: Sequence[int]) -> bool:
    """Return whether any raw item at these positions was kept before there were keys."""
    for numbers in _parts(positions):
        with database.reading() as tx:
            if raw_items.any_plain(tx, numbers):
                return True
    return False


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


def _forget_addresses(tx: Transaction, addresses: Collection[tuple[str, str]]) -> None:
    """Whose they were is known no more, nor who claimed them, nor when they were answered automatically."""
    known = sorted(addresses)
    tx.run_many("DELETE FROM routing_claims WHERE kind = ? AND address = ?", known)
    tx.run_many("DELETE FROM routing_claims WHERE by_kind = ? AND by_address = ?", known)
    mailboxes = sorted({mailbox_of(address) for kind, address in known if kind == "email"})
    tx.run_many("DELETE FROM routing_auto_replies WHERE address = ?", [(each,) for each in mailboxes])


def _forget_answers(tx: Transaction, positions: Sequence[int]) -> None:
    """A partner may have answered with what it was sent; that it was sent, and when, stays."""
    sql = "SELECT subscription_id, number, first_position, last_position FROM webhook_deliveries WHERE answer <> ''"
    spoken = [row[:2] for row in tx.rows(sql) if bisect_left(positions, row[2]) < bisect_right(positions, row[3])]
    tx.run_many("UPDATE webhook_deliveries SET answer = '' WHERE subscription_id = ? AND number = ?", spoken)


def _run(database: Database, values: Sequence[object], sql: str) -> None:
    with database.writing() as tx:
        tx.run(f"{sql} IN ({','.join('?' * len(values))})", values)


def _parts(values: Sequence[object]) -> Iterator[Sequence[object]]:
    for start in range(0, len(values), _PART):
        yield values[start : start + _PART]
