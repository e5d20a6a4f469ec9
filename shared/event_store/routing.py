"""The routing index: which inbound ids are known, whose an address is, which conversation an external id is in.

Written in the transaction of the events it is derived from, with unique keys: a race becomes a Conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from shared.database.protocol import Transaction
from shared.domain.merge import Merged
from shared.event_store.routing_entries import Claims, Entries, Key, Place
from shared.values import dataclass

SCHEMA = """
CREATE TABLE IF NOT EXISTS routing_seen (id TEXT PRIMARY KEY, conversation_id TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS routing_copies (id TEXT PRIMARY KEY, copy_of TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS routing_copies_of ON routing_copies (copy_of);
CREATE TABLE IF NOT EXISTS routing_copy_files (id TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS routing_addresses (
    kind TEXT NOT NULL, address TEXT NOT NULL, customer_id TEXT NOT NULL, PRIMARY KEY (address, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS routing_external (
    external_id TEXT NOT NULL, channel_id TEXT NOT NULL, conversation_id TEXT NOT NULL, customer_id TEXT NOT NULL,
    PRIMARY KEY (external_id, conversation_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS routing_threads (
    channel_id TEXT NOT NULL, thread_key TEXT NOT NULL, conversation_id TEXT NOT NULL, customer_id TEXT NOT NULL,
    PRIMARY KEY (thread_key, channel_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS routing_topics (
    id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL, customer_id TEXT NOT NULL, at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS routing_call_backs (
    customer_id TEXT NOT NULL, step_id TEXT NOT NULL, since TEXT NOT NULL, PRIMARY KEY (customer_id, step_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS routing_auto_replies (address TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS routing_merges (
    customer_id TEXT PRIMARY KEY, into_id TEXT NOT NULL, merge_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS routing_merges_into ON routing_merges (into_id);
CREATE TABLE IF NOT EXISTS routing_claims (
    kind TEXT NOT NULL, address TEXT NOT NULL, slot BIGINT NOT NULL, by_kind TEXT NOT NULL, by_address TEXT NOT NULL,
    PRIMARY KEY (address, kind, slot)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The keys a batch of messages asks for."""

    ids: Sequence[UUID]
    addresses: Sequence[tuple[str, str]]
    external_ids: Sequence[str]
    threads: Sequence[tuple[UUID, str]]
    topics: Sequence[UUID] = ()


def look_up(tx: Transaction, wanted: Wanted) -> Entries:
    """Return the entries that exist for these keys."""
    found = Entries()
    sql = "SELECT id, conversation_id FROM routing_seen WHERE id"
    for id_, conversation in tx.rows_in(sql, list(map(str, wanted.ids))):
        found.seen[UUID(id_)] = UUID(conversation) if conversation else None
    addresses = set(wanted.addresses)
    sql = "SELECT kind, address, customer_id FROM routing_addresses WHERE address"
    owners = tx.rows_in(sql, list({address for _, address in addresses}))
    for (kind, address, _), customer in zip(owners, _ids([row[2] for row in owners]), strict=True):
        if (kind, address) in addresses:
            found.addresses[kind, address] = customer
    sql = "SELECT external_id, channel_id, conversation_id, customer_id FROM routing_external WHERE external_id"
    for external_id, channel, conversation, customer in tx.rows_in(sql, list(set(wanted.external_ids))):
        place = Place(UUID(conversation), UUID(customer))
        found.external.setdefault(external_id, []).append((UUID(channel), place))
    sql = "SELECT channel_id, thread_key, conversation_id, customer_id FROM routing_threads WHERE thread_key"
    for channel, key, conversation, customer in tx.rows_in(sql, list({key for _, key in wanted.threads})):
        found.threads[UUID(channel), key] = Place(UUID(conversation), UUID(customer))
    sql = "SELECT id, conversation_id, customer_id, at FROM routing_topics WHERE id"
    for id_, conversation, customer, at in tx.rows_in(sql, list(map(str, set(wanted.topics)))):
        found.topics[UUID(id_)] = (Place(UUID(conversation), UUID(customer)), at)
    return found


def _ids(texts: Sequence[str]) -> list[UUID]:
    """All at once is ten times as fast as one by one, and nearly every message is of somebody who is known."""
    return msgspec.convert(texts, list[UUID])


OWNED = ("routing_addresses", "routing_external", "routing_threads", "routing_topics", "routing_call_backs")
"""What leads to customers."""
_PART = 500


def forget(tx: Transaction, customers: Sequence[UUID]) -> None:
    """Let nothing lead to these customers any more: in the transaction that erases them, and later again."""
    ids = list(map(str, customers))
    for start in range(0, len(ids), _PART):
        part = ids[start : start + _PART]
        for table in OWNED:
            tx.run(f"DELETE FROM {table} WHERE customer_id IN ({','.join('?' * len(part))})", part)


def seen(tx: Transaction, id_: UUID) -> bool:
    """Return whether an inbound item, reply or note of this id has been recorded."""
    return tx.row("SELECT 1 FROM routing_seen WHERE id = ?", (str(id_),)) is not None


def merged_into(tx: Transaction, customer_id: UUID) -> Merged | None:
    """Return what a customer is merged into."""
    row = tx.row("SELECT into_id, merge_id FROM routing_merges WHERE customer_id = ?", (str(customer_id),))
    return Merged(UUID(row[0]), UUID(row[1])) if row else None


def claims_of(tx: Transaction, addresses: Sequence[Key]) -> Claims:
    """Return who has claimed some addresses."""
    wanted, found = set(addresses), Claims()
    sql = "SELECT kind, address, slot, by_kind, by_address FROM routing_claims WHERE address"
    for kind, address, slot, *by in tx.rows_in(sql, list({address for _, address in wanted})):
        if (kind, address) in wanted:
            found.setdefault((kind, address), {})[slot] = (by[0], by[1])
    return found


def call_backs(tx: Transaction, customer_id: UUID | None = None, limit: int = 1000) -> list[tuple[UUID, UUID, str]]:
    """Return open call-backs as (customer, step, since), of one customer or of all, up to a limit."""
    sql = "SELECT customer_id, step_id, since FROM routing_call_backs"
    if customer_id is None:
        rows = tx.rows(f"{sql} LIMIT ?", (limit,))
    else:
        rows = tx.rows(f"{sql} WHERE customer_id = ? LIMIT ?", (str(customer_id), limit))
    return [(UUID(customer), UUID(step), since) for customer, step, since in rows]


def auto_replied_at(tx: Transaction, address: str) -> str | None:
    """Return when a mailbox was last answered automatically."""
    row = tx.row("SELECT at FROM routing_auto_replies WHERE address = ?", (address,))
    return row[0] if row else None


def conversation_of(tx: Transaction, id_: UUID) -> UUID | None:
    """Return the conversation in which an inbound item, reply or note of this id is."""
    row = tx.row("SELECT conversation_id FROM routing_seen WHERE id = ?", (str(id_),))
    return UUID(row[0]) if row and row[0] else None


def customer_of(tx: Transaction, address: str) -> list[UUID]:
    """Return the customers who own an address of any kind."""
    return [UUID(id_) for (id_,) in tx.rows("SELECT customer_id FROM routing_addresses WHERE address = ?", (address,))]
