"""Reading some streams of the log: found by the streams' index, however long the log is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from shared.database.protocol import Row, Transaction
from shared.domain.events import Recorded
from shared.domain.unreadable import Unreadable
from shared.event_store.log_rows import SELECT, events_of, openers_of, readable_of, rows_where
from shared.event_store.mapper import from_state
from shared.event_store.recorders import EVENTS, recorder_for

STREAMS = 40
"""Ranges of streams in one statement."""
TOGETHER = 500
"""Streams that are read by one statement."""
_EACH_WANTED = "FROM unnest(?::uuid[]) AS wanted (id) CROSS JOIN LATERAL"


def read_stream(tx: Transaction, stream_id: UUID, *, after_version: int = 0) -> list[Recorded]:
    """Return the events of a stream in order; their `position` is 0, as streams do not need it."""
    stored = recorder_for(tx).select_events(stream_id, gt=after_version)
    openers = openers_of(tx, [s.state for s in stored])
    return [from_state(0, stream_id, s.originator_version, s.topic, s.state, openers=openers) for s in stored]


def read_streams(tx: Transaction, stream_ids: Sequence[UUID], until: int | None = None) -> list[Recorded]:
    """Return the events of several streams in the order they were recorded, up to a position."""
    more, parameters = ("", ()) if until is None else ("AND +{position} <= ?", (until,))
    found = events_of(tx, _of_streams(tx, stream_ids, more, parameters))
    return sorted(found, key=lambda recorded: recorded.position)


def read_short(tx: Transaction, stream_ids: Sequence[UUID], limit: int) -> dict[UUID, list[Recorded]]:
    """Return the events of those streams that have fewer than so many and can be read, in their order."""
    rows = _of_streams(tx, stream_ids, "AND originator_version <= ?", (limit,))
    found: dict[UUID, list[Recorded]] = {stream_id: [] for stream_id in stream_ids}
    for recorded in sorted(events_of(tx, rows, pass_over=True), key=lambda recorded: recorded.version):
        found[recorded.stream_id].append(recorded)
    return {
        id_: past
        for id_, past in found.items()
        if len(past) < limit and not any(isinstance(recorded.event, Unreadable) for recorded in past)
    }


def _of_streams(tx: Transaction, stream_ids: Sequence[UUID], more: str, parameters: Sequence[object]) -> list[Row]:
    """Return the rows of several streams for which `more` holds.

    PostgreSQL looks each of them up by itself: of a table that writers never leave to ANALYZE it believes that a stream
    has thousands of events, and would read the whole log to find a hundred streams.
    """
    found: list[Row] = []
    for start in range(0, len(stream_ids), TOGETHER):
        part = stream_ids[start : start + TOGETHER]
        if tx.dialect == "sqlite":
            where = f"originator_id IN ({','.join('?' * len(part))}) {more}"
            found += rows_where(tx, where, [*(id_.hex for id_ in part), *parameters])
        else:
            one = f"{SELECT} WHERE originator_id = wanted.id {more} OFFSET 0"  # which keeps it from being joined
            sql = f"SELECT one.* {_EACH_WANTED} ({one}) AS one"
            found += tx.rows(sql.format(position="notification_id"), [list(part), *parameters])
    return found


def read_beginnings(tx: Transaction, stream_ids: Sequence[UUID]) -> list[Recorded]:
    """Return the first event of each of several streams."""
    found = events_of(tx, _of_streams(tx, stream_ids, "AND originator_version = 1", ()))
    return sorted(found, key=lambda recorded: recorded.position)


def read_versions(tx: Transaction, after: Mapping[UUID, int], until: int, at_once: int = 200) -> list[Recorded]:
    """Return the events of several streams after a version of each, up to a position of the log.

    `at_once`: so many of each are looked at first; only who has as many of them is asked for more.
    """
    found: list[Recorded] = []
    left = dict(after)
    while left:
        some = _versions(tx, left, until, at_once)
        found += some
        counts = Counter(recorded.stream_id for recorded in some)
        left = {id_: version + at_once for id_, version in left.items() if counts[id_] == at_once}
    return found


def _versions(tx: Transaction, after: Mapping[UUID, int], until: int, count: int) -> list[Recorded]:
    found: list[Recorded] = []
    wanted = list(after.items())
    for start in range(0, len(wanted), STREAMS):
        some = wanted[start : start + STREAMS]
        range_ = "originator_id = ? AND originator_version > ? AND originator_version <= ? AND +{position} <= ?"
        parameters: list[object] = []
        for stream_id, version in some:
            id_ = stream_id.hex if tx.dialect == "sqlite" else stream_id
            parameters += [id_, version, version + count, until]
        found += events_of(tx, rows_where(tx, _all_of(range_, len(some)), parameters))
    return found


def _all_of(where: str, count: int) -> str:
    """A WHERE clause and more selects like it; planners take each by its own index range, unlike one with OR."""
    return f" UNION ALL {SELECT} WHERE ".join([where] * count)


def read_newest(
    tx: Transaction, streams: tuple[UUID, UUID], types: Sequence[str], before: int, limit: int
) -> list[Recorded]:
    """Return the newest events before a position, the last one first, of streams from one id to another."""
    least, most = (stream_id.hex if tx.dialect == "sqlite" else stream_id for stream_id in streams)
    where = f"originator_id >= ? AND originator_id <= ? AND topic IN ({','.join('?' * len(types))})"
    tail = "AND +{position} < ? ORDER BY +{position} DESC LIMIT ?"  # by the streams' index, however long the log is
    return events_of(tx, rows_where(tx, f"{where} {tail}", (least, most, *types, before, limit)))


def read_streams_window(
    tx: Transaction,
    stream_ids: Sequence[UUID],
    after: int,
    until: int,
    limit: int,
    types: Sequence[str] = (),
    *,
    pass_over: bool = False,
) -> list[Recorded]:
    """As `read_window`, of some streams only: found by the streams' index, however long the log is."""
    where = "+{position} > ? AND +{position} <= ?" + (f" AND topic IN ({','.join('?' * len(types))})" if types else "")
    parameters = (after, until, *types, limit)
    if tx.dialect == "sqlite":
        among = "originator_id IN (SELECT value FROM json_each(?))"
        found = f"SELECT {{position}} FROM {EVENTS} WHERE {among} AND {where} ORDER BY +{{position}} LIMIT ?"
        keys = msgspec.json.encode([id_.hex for id_ in stream_ids]).decode()
        rows = rows_where(tx, f"{{position}} IN ({found}) ORDER BY +{{position}}", (keys, *parameters))
        return readable_of(tx, rows) if pass_over else events_of(tx, rows)
    one = f"SELECT {{position}} AS at FROM {EVENTS} WHERE originator_id = wanted.id AND {where} OFFSET 0"
    found = f"SELECT one.at {_EACH_WANTED} ({one}) AS one ORDER BY one.at LIMIT ?"
    event = f"{SELECT} WHERE {{position}} = found.at OFFSET 0"
    sql = f"SELECT event.* FROM ({found}) AS found CROSS JOIN LATERAL ({event}) AS event ORDER BY found.at"
    rows = tx.rows(sql.format(position="notification_id"), [list(stream_ids), *parameters])
    return readable_of(tx, rows) if pass_over else events_of(tx, rows)
