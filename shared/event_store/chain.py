"""A hash chain over the log: each event's hash goes into the next, so nothing that lies behind a link can change unseen.

Computed behind the writers, over the stored bytes; a link covers the events since the one before it. What somebody who
may write everything has rewritten from the beginning is seen only by a head that was noted elsewhere.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.event_store.recorders import EVENTS

SCHEMA = """
CREATE TABLE IF NOT EXISTS log_chain (
    number BIGINT PRIMARY KEY, until BIGINT NOT NULL, marks BLOB NOT NULL, hash BLOB NOT NULL, linked_at TEXT NOT NULL
)
"""
GENESIS = b"\x00" * 32
BEGINNING = -(2**63)
"""Before every position: an event that somebody put before the first one counts too."""
_MARK = struct.Struct(">q16s")


@dataclass(frozen=True, slots=True)
class Sealed:
    """An event as the chain sees it: where it lies, and the hash of all that is stored of it."""

    position: int
    hash: bytes

    @property
    def mark(self) -> bytes:
        """Enough to tell this event from every other, kept in its link."""
        return _MARK.pack(self.position, self.hash[:16])


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
    """Return up to `limit` events after a position as they are stored now."""
    return [_seal(row) for row in _rows(tx, after, until, limit)]


def extend(hash_: bytes, events: Iterable[Sealed]) -> bytes:
    """Return the chain's hash with some events more."""
    for event in events:
        hash_ = hashlib.sha256(hash_ + event.position.to_bytes(8, "big", signed=True) + event.hash).digest()
    return hash_


def next_link(tx: Transaction, before: Link, limit: int, at: datetime) -> Link | None:
    """Return the link over up to `limit` next events, None when there are none."""
    events = sealed(tx, before.until, None, limit)
    if not events:
        return None
    marks = b"".join(event.mark for event in events)
    return Link(before.number + 1, events[-1].position, marks, extend(before.hash, events), to_text(at))


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


def _seal(row: Row) -> Sealed:
    """The same event has the same hash in both databases: the chain moves with the log."""
    position, stream, version, topic, state = row
    if not isinstance(topic, bytes):
        stream, version, topic = stream.hex.encode(), b"%d" % version, topic.encode()
    head = b"%b %b %d %b " % (stream, version, len(topic), topic)
    return Sealed(position, hashlib.sha256(head + state).digest())
