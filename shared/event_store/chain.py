"""A hash chain over the log: each event's hash goes into the next, so nothing behind a link can change unseen.

Computed behind the writers, over the stored bytes; a link covers the events since the one before it. What somebody who
may write everything has rewritten from the beginning is seen only by a head that was noted elsewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.event_store import resealed
from shared.event_store.recorders import EVENTS

SCHEMA = """
CREATE TABLE IF NOT EXISTS log_chain (
    number BIGINT PRIMARY KEY, until BIGINT NOT NULL, marks BLOB NOT NULL, hash BLOB NOT NULL, linked_at TEXT NOT NULL
)
"""
GENESIS = b"\x00" * 32
BEGINNING = -(2**63)
"""Before every position: an event that somebody put before the first one counts too."""
_WHOLE, _MARK = struct.Struct(">q32s"), struct.Struct(">q16s")
"""Position and hash of an event; a mark has only the hash's beginning."""


class Sealed(NamedTuple):
    """An event as the chain sees it: where it lies, and the hash of all that is stored of it."""

    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """`hash` is the chain's up to and with the event at `until`; `marks` name the events it covers."""

    number: int
    until: int
    marks: bytes
    hash: bytes
    linked_at: str = ""

    @property
    def count(self) -> int:
        return len(self.marks) // _MARK.size

    def covered(self) -> list[tuple[int, bytes]]:
        """Return position and beginning of the hash of each event; nothing of a link that is no link any more."""
        return list(_MARK.iter_unpack(self.marks)) if len(self.marks) % _MARK.size == 0 else []


FIRST = Link(0, BEGINNING, b"", GENESIS)
"""What the first link follows."""


def sealed(tx: Transaction, after: int, until: int | None, limit: int) -> list[Sealed]:
    """Return up to `limit` events after a position as they are stored now; what an erasure sealed anew as before."""
    return [Sealed(*each) for each in resealed.as_linked(tx, stored(tx, after, until, limit))]


def stored(tx: Transaction, after: int, until: int | None, limit: int) -> list[Sealed]:
    """Return up to `limit` events after a position as they are stored now."""
    return _sealed(_rows(tx, after, until, limit))


def extend(hash_: bytes, events: Iterable[Sealed]) -> bytes:
    """Return the chain's hash with the events of one link more."""
    return sha256(hash_ + b"".join([_WHOLE.pack(*event) for event in events])).digest()


def marks_of(events: Iterable[Sealed]) -> bytes:
    """Return enough of each event to tell it from every other, as its link keeps it."""
    return b"".join([_MARK.pack(*event) for event in events])


def next_link(tx: Transaction, before: Link, limit: int, at: datetime) -> Link | None:
    """Return the link over up to `limit` next events, None when there are none."""
    events = sealed(tx, before.until, None, limit)
    if not events:
        return None
    return Link(before.number + 1, events[-1].position, marks_of(events), extend(before.hash, events), to_text(at))


def add(tx: Transaction, link: Link) -> None:
    """Store a link. Raises Conflict when another process was first."""
    row = (link.number, link.until, link.marks, link.hash, link.linked_at)
    tx.insert_many("log_chain", ("number", "until", "marks", "hash", "linked_at"), [row])


def last_link(tx: Transaction) -> Link:
    """Return the newest link, FIRST when there is none."""
    row = tx.row(f"{_SELECT} ORDER BY number DESC LIMIT 1")
    return _link(row) if row else FIRST


def links(tx: Transaction, after: int, until: int, limit: int) -> list[Link]:
    """Return up to `limit` links with numbers after one, in order."""
    sql = f"{_SELECT} WHERE number > ? AND number <= ? ORDER BY number LIMIT ?"
    return [_link(row) for row in tx.rows(sql, (after, until, limit))]


def has_link(tx: Transaction, until: int, hash_: bytes) -> bool:
    """Return whether the chain had a hash at a position."""
    row = tx.row("SELECT hash FROM log_chain WHERE until = ?", (until,))
    return row is not None and bytes(row[0]) == hash_


def unlinked(tx: Transaction) -> int:
    """Return how many events lie behind the last link."""
    row = tx.row(f"SELECT count(*) FROM {EVENTS} WHERE {_position(tx)} > ?", (last_link(tx).until,))
    return int(row[0]) if row else 0


_SELECT = "SELECT number, until, marks, hash, linked_at FROM log_chain"


def _link(row: Row) -> Link:
    """What somebody wrote into a link that is none of ours is read as a link over nothing."""
    number, until, marks, hash_, linked_at = row
    if not (isinstance(until, int) and isinstance(marks, bytes) and isinstance(hash_, bytes)):
        return Link(number, BEGINNING, b"", b"")
    return Link(number, until, marks, hash_, str(linked_at))


def _position(tx: Transaction) -> str:
    return "rowid" if tx.dialect == "sqlite" else "notification_id"


def _rows(tx: Transaction, after: int, until: int | None, limit: int) -> Sequence[Row]:
    """SQLite would give what somebody stored under another type as that type: all is read as bytes there."""
    position, names = _position(tx), ("originator_id", "originator_version", "topic", "state")
    fields = ", ".join(f"CAST({name} AS BLOB)" if tx.dialect == "sqlite" else name for name in names)
    bound = "" if until is None else f"AND {position} <= ?"
    sql = f"SELECT {position}, {fields} FROM {EVENTS} WHERE {position} > ? {bound} ORDER BY {position} LIMIT ?"
    return tx.rows(sql, [after, *([] if until is None else [until]), limit])


def _sealed(rows: Sequence[Row]) -> list[Sealed]:
    """The same event has the same hash in both databases: the chain moves with the log."""
    if rows and not isinstance(rows[0][3], bytes):
        rows = [(p, stream.hex.encode(), b"%d" % version, topic.encode(), s) for p, stream, version, topic, s in rows]
    return [
        Sealed(position, sha256(b"%b %b %d %b " % (stream, version, len(topic), topic) + state).digest())
        for position, stream, version, topic, state in rows
    ]
