"""Reading the log: one stream, or everything after a position in the order it was recorded."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.database.protocol import Row, Transaction
from shared.domain.events import Actor, Recorded
from shared.domain.unreadable import Unreadable
from shared.event_store.mapper import (
    NO_KEYS,
    SEALED,
    EventUnreadable,
    Openers,
    from_state,
    keys_of,
    plain_part,
)
from shared.event_store.recorders import EVENTS, recorder_for
from shared.keys.pages import WrongKeyStore

STREAMS = 40
"""Ranges of streams in one statement."""
PIECE = 100
"""Events that are read before their bytes are counted."""
_UNREADABLE = (EventUnreadable, WrongKeyStore, msgspec.MsgspecError, LookupError, ValueError, TypeError)
TOGETHER = 500
"""Streams that are read by one statement."""
LAST_POSITION = 2**63 - 1
_EACH_WANTED = "FROM unnest(?::uuid[]) AS wanted (id) CROSS JOIN LATERAL"
_SELECT = f"SELECT {{position}}, originator_id, originator_version, topic, state FROM {EVENTS}"


def read_stream(tx: Transaction, stream_id: UUID, *, after_version: int = 0) -> list[Recorded]:
    """Return the events of a stream in order; their `position` is 0, as streams do not need it."""
    stored = recorder_for(tx).select_events(stream_id, gt=after_version)
    openers = openers_of(tx, [s.state for s in stored])
    return [from_state(0, stream_id, s.originator_version, s.topic, s.state, openers=openers) for s in stored]


def read_log(tx: Transaction, after: int, limit: int, *, pass_over: bool = False) -> list[Recorded]:
    """Return up to `limit` events recorded after a position, without gaps.

    `pass_over`: in the place of one that cannot be read stands an `Unreadable`, else that raises EventUnreadable.
    """
    return _recorded(tx, _rows(tx, "{position} > ? ORDER BY {position} LIMIT ?", (after, limit)), pass_over)


def read_what_can_be_read(tx: Transaction, after: int, limit: int) -> tuple[list[Recorded], dict[int, str]]:
    """Return as `read_log` what can be read, and of the other positions in words why they cannot."""
    rows = _rows(tx, "{position} > ? ORDER BY {position} LIMIT ?", (after, limit))
    try:
        return _recorded(tx, rows), {}
    except _UNREADABLE:
        return _one_by_one(tx, rows)


def _one_by_one(tx: Transaction, rows: Sequence[Row]) -> tuple[list[Recorded], dict[int, str]]:
    events, unreadable = list[Recorded](), dict[int, str]()
    for row in rows:
        try:
            events += _recorded(tx, [row])
        except _UNREADABLE as error:
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
        piece = _rows(tx, "{position} > ? AND {position} <= ? ORDER BY {position} LIMIT ?", (after, until, asked))
        rows += piece
        if len(piece) < asked:
            break
        after, size = piece[-1][0], size + sum(len(row[4]) for row in piece)
    return _recorded(tx, rows, pass_over=True)


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An event as it lies in the log, made of a row: `type` is its stored name, `state` as the mapper made it."""

    position: int
    stream_id: UUID
    version: int
    type: str
    state: bytes

    @property
    def plain(self) -> bytes:
        """The JSON of the envelope without what is personal."""
        return plain_part(self.state)


def read_stored(tx: Transaction, after: int, limit: int) -> list[Stored]:
    """Return up to `limit` events recorded after a position, not decoded."""
    return _stored(_rows(tx, "{position} > ? ORDER BY {position} LIMIT ?", (after, limit)))


def read_plain(tx: Transaction, after: int, limit: int) -> list[Stored]:
    """As `read_stored`, of events that nothing is sealed of."""
    where = "{position} > ? AND substr(state, 1, 1) <> ? ORDER BY {position} LIMIT ?"
    return _stored(_rows(tx, where, (after, bytes((SEALED,)), limit)))


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
        piece = _rows(tx, f"{where} ORDER BY {{position}} LIMIT ?", (reached, until, *types, PIECE))
        rows += piece
        reached, size = piece[-1][0] if len(piece) == PIECE else until, size + sum(len(row[4]) for row in piece)
    return reached, _stored(rows)


def _stored(rows: Sequence[Row]) -> list[Stored]:
    """All at once is thrice as fast as one by one, but refuses all for one whose bytes somebody made a text."""
    try:
        return msgspec.convert(rows, list[Stored])
    except msgspec.ValidationError:
        return [Stored(row[0], stream, *row[2:]) for row, stream in zip(rows, _stream_ids(rows), strict=True)]


def read_some(tx: Transaction, after: int, limit: int, types: Sequence[str]) -> tuple[int, list[Recorded]]:
    """Return up to `limit` events of some types, and the position up to which there is none left out.

    Passes over what cannot be read, as `read_log` does when it is asked to.
    """
    until = head(tx)
    where = f"{{position}} > ? AND {{position}} <= ? AND topic IN ({','.join('?' * len(types))})"
    rows = _rows(tx, f"{where} ORDER BY {{position}} LIMIT ?", (after, until, *types, limit))
    events = _recorded(tx, rows, pass_over=True)
    return (events[-1].position if len(events) == limit else max(after, until)), events


def read_window(
    tx: Transaction, after: int, until: int, limit: int, types: Sequence[str] = (), *, pass_over: bool = False
) -> list[Recorded]:
    """Return up to `limit` events after a position up to another, of some stored names (none: all).

    `pass_over`: in the place of one that cannot be read, also for want of its key, stands an `Unreadable`.
    """
    where = "{position} > ? AND {position} <= ?" + (f" AND topic IN ({','.join('?' * len(types))})" if types else "")
    rows = _rows(tx, f"{where} ORDER BY {{position}} LIMIT ?", (after, until, *types, limit))
    return _what_can_be_read(tx, rows) if pass_over else _recorded(tx, rows)


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
        rows = _rows(tx, f"{{position}} IN ({found}) ORDER BY +{{position}}", (keys, *parameters))
        return _what_can_be_read(tx, rows) if pass_over else _recorded(tx, rows)
    one = f"SELECT {{position}} AS at FROM {EVENTS} WHERE originator_id = wanted.id AND {where} OFFSET 0"
    found = f"SELECT one.at {_EACH_WANTED} ({one}) AS one ORDER BY one.at LIMIT ?"
    event = f"{_SELECT} WHERE {{position}} = found.at OFFSET 0"
    sql = f"SELECT event.* FROM ({found}) AS found CROSS JOIN LATERAL ({event}) AS event ORDER BY found.at"
    rows = tx.rows(sql.format(position="notification_id"), [list(stream_ids), *parameters])
    return _what_can_be_read(tx, rows) if pass_over else _recorded(tx, rows)


def read_streams(tx: Transaction, stream_ids: Sequence[UUID], until: int | None = None) -> list[Recorded]:
    """Return the events of several streams in the order they were recorded, up to a position."""
    more, parameters = ("", ()) if until is None else ("AND +{position} <= ?", (until,))
    found = _recorded(tx, _of_streams(tx, stream_ids, more, parameters))
    return sorted(found, key=lambda recorded: recorded.position)


def read_short(tx: Transaction, stream_ids: Sequence[UUID], limit: int) -> dict[UUID, list[Recorded]]:
    """Return the events of those streams that have fewer than so many and can be read, in their order."""
    rows = _of_streams(tx, stream_ids, "AND originator_version <= ?", (limit,))
    found: dict[UUID, list[Recorded]] = {stream_id: [] for stream_id in stream_ids}
    for recorded in sorted(_recorded(tx, rows, pass_over=True), key=lambda recorded: recorded.version):
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
            found += _rows(tx, where, [*(id_.hex for id_ in part), *parameters])
        else:
            one = f"{_SELECT} WHERE originator_id = wanted.id {more} OFFSET 0"  # which keeps it from being joined
            sql = f"SELECT one.* {_EACH_WANTED} ({one}) AS one"
            found += tx.rows(sql.format(position="notification_id"), [list(part), *parameters])
    return found


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
        found += _recorded(tx, _rows(tx, _all_of(range_, len(some)), parameters))
    return found


def _all_of(where: str, count: int) -> str:
    """A WHERE clause and more selects like it; planners take each by its own index range, unlike one with OR."""
    return f" UNION ALL {_SELECT} WHERE ".join([where] * count)


def read_beginnings(tx: Transaction, stream_ids: Sequence[UUID]) -> list[Recorded]:
    """Return the first event of each of several streams."""
    found = _recorded(tx, _of_streams(tx, stream_ids, "AND originator_version = 1", ()))
    return sorted(found, key=lambda recorded: recorded.position)


def read_positions(tx: Transaction, positions: Sequence[int]) -> list[Recorded]:
    """Return the events at some positions, in order."""
    found: list[Recorded] = []
    for start in range(0, len(positions), 500):
        part = positions[start : start + 500]
        found += _recorded(tx, _rows(tx, f"{{position}} IN ({','.join('?' * len(part))})", part))
    return sorted(found, key=lambda recorded: recorded.position)


def read_newest(
    tx: Transaction, streams: tuple[UUID, UUID], types: Sequence[str], before: int, limit: int
) -> list[Recorded]:
    """Return the newest events before a position, the last one first, of streams from one id to another."""
    least, most = (stream_id.hex if tx.dialect == "sqlite" else stream_id for stream_id in streams)
    where = f"originator_id >= ? AND originator_id <= ? AND topic IN ({','.join('?' * len(types))})"
    tail = "AND +{position} < ? ORDER BY +{position} DESC LIMIT ?"  # by the streams' index, however long the log is
    return _recorded(tx, _rows(tx, f"{where} {tail}", (least, most, *types, before, limit)))


def opened(tx: Transaction, stored: Sequence[Stored]) -> list[Recorded]:
    """Return the events of what was read undecoded."""
    openers = openers_of(tx, [each.state for each in stored])
    return [from_state(s.position, s.stream_id, s.version, s.type, s.state, openers=openers) for s in stored]


def openers_of(tx: Transaction, states: Sequence[bytes]) -> Openers:
    """Return the keys of some states, all at once."""
    if not (ids := keys_of(states)):
        return NO_KEYS
    if tx.keys is None:
        raise WrongKeyStore("the log is sealed: it can be read with its key store only")
    openers: Openers = tx.keys.to_open(ids)
    return openers


def openers_found(tx: Transaction, states: Sequence[bytes]) -> Openers:
    """As `openers_of`, without the keys that are not there. Raises WrongKeyStore where none of them is."""
    try:
        return openers_of(tx, states)
    except WrongKeyStore:
        if tx.keys is None:
            raise
        found: dict[bytes, AESGCM | None] = {}
        for id_ in keys_of(states):
            with suppress(WrongKeyStore):
                found |= tx.keys.to_open({id_})
        if not found:
            raise
        return found


def head(tx: Transaction) -> int:
    """Return the position of the last event, 0 when there is none."""
    return recorder_for(tx).max_notification_id() or 0


def _rows(tx: Transaction, where: str, parameters: Sequence[object]) -> list[Row]:
    """Return position, stream, version, topic and state; `{position}` stands for the column of the position.

    Plain rows: the library's Notification objects cost as much again as decoding the events.
    """
    position = "rowid" if tx.dialect == "sqlite" else "notification_id"
    return tx.rows(f"{_SELECT} WHERE {where}".format(position=position), parameters)


def _stream_ids(rows: Sequence[Row]) -> list[UUID]:
    """SQLite has them as hexadecimal text, PostgreSQL's driver gives UUIDs; all at once is five times as fast."""
    return msgspec.convert([row[1] for row in rows], list[UUID])


def _what_can_be_read(tx: Transaction, rows: Sequence[Row]) -> list[Recorded]:
    """As `_recorded` that passes over, also what names a key that is not there."""
    return _recorded(tx, rows, pass_over=True, openers=openers_found(tx, [row[4] for row in rows]))


def _recorded(
    tx: Transaction, rows: Sequence[Row], pass_over: bool = False, openers: Openers | None = None
) -> list[Recorded]:
    streams = _stream_ids(rows)
    openers = openers_of(tx, [row[4] for row in rows]) if openers is None else openers
    try:
        return [
            from_state(position, stream, version, topic, state, openers=openers)
            for (position, _, version, topic, state), stream in zip(rows, streams, strict=True)
        ]
    except EventUnreadable:
        if not pass_over:
            raise
    return [_read_or_not(tx, row, stream, openers) for row, stream in zip(rows, streams, strict=True)]


def _read_or_not(tx: Transaction, row: Row, stream: UUID, openers: Openers) -> Recorded:
    position, _, version, topic, state = row
    try:
        return from_state(position, stream, version, topic, state, openers=openers)
    except EventUnreadable as error:
        at = told_time(state) or _time_before(tx, position)
        nothing = cast("Any", Unreadable(topic, str(error)))
        return Recorded(position, stream, version, at, at, None, Actor("system"), nothing)


class _Time(msgspec.Struct):
    recorded_at: datetime


def told_time(state: bytes) -> datetime | None:
    """Return when an event was recorded by what can be read of its bytes."""
    try:
        return msgspec.json.decode(plain_part(state), type=_Time).recorded_at
    except (*_UNREADABLE, IndexError, struct.error):
        return None


def _time_before(tx: Transaction, position: int) -> datetime:
    """Times in the log rise: what does not tell its own was recorded about when the one before it was."""
    rows = _rows(tx, "{position} < ? ORDER BY {position} DESC LIMIT ?", (position, PIECE))
    return next((at for row in rows if (at := told_time(row[4]))), datetime.min.replace(tzinfo=UTC))
