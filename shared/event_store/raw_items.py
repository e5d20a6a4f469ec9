"""The raw bytes that travelled with inbound events, by content."""

from __future__ import annotations

from shared.database.protocol import Transaction


def raw_item(tx: Transaction, sha256: str) -> bytes | None:
    """Return the bytes, None when they are not here but in blobs."""
    row = tx.row("SELECT data FROM raw_items WHERE sha256 = ?", (sha256,))
    return bytes(row[0]) if row else None
