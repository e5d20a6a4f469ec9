"""Reading the log after a position, in the order it was recorded."""

from __future__ import annotations

from collections.abc import Sequence

from shared.database.protocol import Row, Transaction
from shared.domain.events import Recorded
from shared.event_store.log_rows import UNREADABLE, Stored, events_of, readable_of, rows_where, stored_of
from shared.event_store.mapper import SEALED
from shared.event_store.recorders import recorder_for

PIECE = 100
"""Events that are read before their bytes are counted."""
LAST_POSITION = 2**63 - 1


def read_log(tx: Transaction, after: int, limit: int, *, pass_over: bool = False) -> list[Recorded]:
    """Return up to `limit` events recorded after a position, without gaps.

    `pass_over`: in the place of one that cannot be read stands an `Unreadable`, else that raises EventUnreadable.
    """
    return events_of(tx, rows_where(tx, "{position} > ? ORDER BY {position} LIMIT ?", (after, limit)), pass_over)


def read_what_can_be_read(tx: Transaction, after: int, limit: int) -> tuple[list[Recorded], dict[int, str]]:
    """Return as `read_log` what can be read, and of the other positions in words why they cannot."""
    rows = rows_where(tx, "{position} > ? ORDER BY {position} LIMIT ?", (after, limit))
    try:
        return events_of(tx, rows), {}
    except UNREADABLE:
        return _one_by_one(tx, rows)


def _one_by_one(tx: Transaction, rows: Sequence[Row]) -> tuple[list[Recorded], dict[int, str]]:
    events, unreadable = list[Recorded](), dict[int, str]()
    for row in rows:
        try:
            events += events_of(tx, [row])
        except UNREADABLE as error:
            unreadable[row[0]] = str(error)
    return events, unreadable


def read_log_within(
    tx: Transaction, after: int, limit: int, most_bytes: int, until: int = LAST_POSITION
) -> list[Recorded]:
    """Return as `read_log` that passes over, up to a position, fewer where so many have that many bytes as they are
    stored.

    By some PIECE at most.
    """
    rows: list[Row] = []
    size = 0
    while size < most_bytes and len(rows) < limit:
        asked = min(PIECE, limit - len(rows))
        piece = rows_where(tx, "{position} > ? AND {position} <= ? ORDER BY {position} LIMIT ?", (after, until, asked))
        rows += piece
        if len(piece) < asked:
            break
        after, size = piece[-1][0], size + sum(len(row[4]) for row in piece)
    return events_of(tx, rows, pass_over=True)


def read_stored(tx: Transaction, after: int, limit: int) -> list[Stored]:
    """Return up to `limit` events recorded after a position, not decoded."""
    return stored_of(rows_where(tx, "{position} > ? ORDER BY {position} LIMIT ?", (after, limit)))


def read_plain(tx: Transaction, after: int, limit: int) -> list[Stored]:
    """As `read_stored`, of events that nothing is sealed of."""
    where = "{position} > ? AND substr(state, 1, 1) <> ? ORDER BY {position} LIMIT ?"
    return stored_of(rows_where(tx, where, (after, bytes((SEALED,)), limit)))


def read_stored_window(
    tx: Transaction, after: int, until: int, most_bytes: int, types: Sequence[str] = ()
) -> tuple[int, list[Stored]]:
    """Return the events after a position up to another, of some stored names (none: all), not decoded.

    Fewer where they have that many bytes, by some PIECE at most; the number is the position up to which they are all.
    """
    where = "{position} > ? AND {position} <= ?" + (f" AND topic IN ({','.join('?' * len(types))})" if types else "")
    rows: list[Row] = []
    size, reached = 0, after
    while reached < until and size < most_bytes:
        piece = rows_where(tx, f"{where} ORDER BY {{position}} LIMIT ?", (reached, until, *types, PIECE))
        rows += piece
        reached, size = piece[-1][0] if len(piece) == PIECE else until, size + sum(len(row[4]) for row in piece)
    return reached, stored_of(rows)


def read_some(tx: Transaction, after: int, limit: int, types: Sequence[str]) -> tuple[int, list[Recorded]]:
    """Return up to `limit` events of some types, and the position up to which there is none left out.

    Passes over what cannot be read, as `read_log` does when it is asked to.
    """
    until = head(tx)
    where = f"{{position}} > ? AND {{position}} <= ? AND topic IN ({','.join('?' * len(types))})"
    rows = rows_where(tx, f"{where} ORDER BY {{position}} LIMIT ?", (after, until, *types, limit))
    events = events_of(tx, rows, pass_over=True)
    return (events[-1].position if len(events) == limit else max(after, until)), events


def read_window(
    tx: Transaction, after: int, until: int, limit: int, types: Sequence[str] = (), *, pass_over: bool = False
) -> list[Recorded]:
    """Return up to `limit` events after a position up to another, of some stored names (none: all).

    `pass_over`: in the place of one that cannot be read, also for want of its key, stands an `Unreadable`.
    """
    where = "{position} > ? AND {position} <= ?" + (f" AND topic IN ({','.join('?' * len(types))})" if types else "")
    rows = rows_where(tx, f"{where} ORDER BY {{position}} LIMIT ?", (after, until, *types, limit))
    return readable_of(tx, rows) if pass_over else events_of(tx, rows)


def read_positions(tx: Transaction, positions: Sequence[int]) -> list[Recorded]:
    """Return the events at some positions, in order."""
    found: list[Recorded] = []
    for start in range(0, len(positions), 500):
        part = positions[start : start + 500]
        found += events_of(tx, rows_where(tx, f"{{position}} IN ({','.join('?' * len(part))})", part))
    return sorted(found, key=lambda recorded: recorded.position)


def head(tx: Transaction) -> int:
    """Return the position of the last event, 0 when there is none."""
    return recorder_for(tx).max_notification_id() or 0
