"""Events that an erasure had to seal anew: what the chain has of each, vouched for by a holder of OKNO_SECRET_KEY.

So the chain verifies as before, and a change that no erasure made is still seen.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.database.protocol import Transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS log_resealed (
    position BIGINT PRIMARY KEY, before BLOB NOT NULL, after BLOB NOT NULL, vouched BLOB NOT NULL
)
"""


def note(tx: Transaction, position: int, before: bytes, after: bytes) -> None:
    """Remember that the event at a position had one hash and has another now; of several the first counts."""
    known = tx.row("SELECT before FROM log_resealed WHERE position = ?", (position,))
    first = bytes(known[0]) if known else before
    tx.run("DELETE FROM log_resealed WHERE position = ?", (position,))
    row = (position, first, after, tx.keys.vouch(_said(position, first, after)))
    tx.insert_many("log_resealed", ("position", "before", "after", "vouched"), [row])


def as_linked(tx: Transaction, hashes: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return positions and hashes, of events that were sealed anew the hash of before."""
    found = list(hashes)
    if not found or tx.keys is None:
        return found
    sql = "SELECT position, before, after, vouched FROM log_resealed WHERE position >= ? AND position <= ?"
    rows = {row[0]: tuple(map(bytes, row[1:])) for row in tx.rows(sql, (found[0][0], found[-1][0]))}
    return [(position, _linked(tx, position, hash_, rows.get(position))) for position, hash_ in found]


def count(tx: Transaction) -> int:
    row = tx.row("SELECT count(*) FROM log_resealed")
    return int(row[0]) if row else 0


def _linked(tx: Transaction, position: int, hash_: bytes, row: tuple[bytes, ...] | None) -> bytes:
    if row is None:
        return hash_
    before, after, vouched = row
    is_ours = after == hash_ and vouched == tx.keys.vouch(_said(position, before, after))
    return before if is_ours else hash_


def _said(position: int, before: bytes, after: bytes) -> bytes:
    return b"%d %b %b" % (position, before, after)
