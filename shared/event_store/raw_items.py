"""The raw bytes that travelled with inbound events, by the position of the event they came with."""

from __future__ import annotations

from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store.log import read_log

SCHEMA = "CREATE TABLE IF NOT EXISTS raw_items (position BIGINT PRIMARY KEY, data BLOB NOT NULL)"


def raw_item(tx: Transaction, position: int) -> bytes | None:
    """Return the bytes, None when they are not here but in blobs."""
    row = tx.row("SELECT data FROM raw_items WHERE position = ?", (position,))
    return bytes(row[0]) if row else None


def raw_at(tx: Transaction, position: int) -> e.Raw | None:
    """Return what is known of the raw item that came with the event at a position."""
    for recorded in read_log(tx, position - 1, 1):
        if recorded.position == position:
            raw: e.Raw | None = getattr(recorded.event, "raw", None)
            return raw
    return None
