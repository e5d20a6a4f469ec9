"""Rows of the log and the events made of them, with the keys that they are sealed with, all at once."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.database.protocol import Row, Transaction
from shared.domain.events import Actor, Recorded
from shared.domain.unreadable import Unreadable
from shared.event_store.mapper import NO_KEYS, EventUnreadable, Openers, from_state, keys_of, plain_part
from shared.event_store.recorders import EVENTS
from shared.keys.pages import WrongKeyStore

SELECT = f"SELECT {{position}}, originator_id, originator_version, topic, state FROM {EVENTS}"
UNREADABLE = (EventUnreadable, WrongKeyStore, msgspec.MsgspecError, LookupError, ValueError, TypeError)
EARLIER = 100
"""Events that are looked at for the time of one that does not tell it."""


def rows_where(tx: Transaction, where: str, parameters: Sequence[object]) -> list[Row]:
    """Return position, stream, version, topic and state; `{position}` stands for the column of the position.

    Plain rows: the library's Notification objects cost as much again as decoding the events.
    """
    position = "rowid" if tx.dialect == "sqlite" else "notification_id"
    return tx.rows(f"{SELECT} WHERE {where}".format(position=position), parameters)


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


def stored_of(rows: Sequence[Row]) -> list[Stored]:
    """All at once is thrice as fast as one by one, but refuses all for one whose bytes somebody made a text."""
    try:
        return msgspec.convert(rows, list[Stored])
    except msgspec.ValidationError:
        return [Stored(row[0], stream, *row[2:]) for row, stream in zip(rows, _stream_ids(rows), strict=True)]


def _stream_ids(rows: Sequence[Row]) -> list[UUID]:
    """SQLite has them as hexadecimal text, PostgreSQL's driver gives UUIDs; all at once is five times as fast."""
    return msgspec.convert([row[1] for row in rows], list[UUID])


def opened(tx: Transaction, stored: Sequence[Stored]) -> list[Recorded]:
    """Return the events of what was read undecoded."""
    openers = openers_of(tx, [each.state for each in stored])
    return [from_state(s.position, s.stream_id, s.version, s.type, s.state, openers=openers) for s in stored]


def events_of(
    tx: Transaction, rows: Sequence[Row], pass_over: bool = False, openers: Openers | None = None
) -> list[Recorded]:
    """Return the events of rows. `pass_over`: an `Unreadable` for each that cannot be read, else EventUnreadable."""
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


def readable_of(tx: Transaction, rows: Sequence[Row]) -> list[Recorded]:
    """As `events_of` that passes over, also what names a key that is not there."""
    return events_of(tx, rows, pass_over=True, openers=openers_found(tx, [row[4] for row in rows]))


def _read_or_not(tx: Transaction, row: Row, stream: UUID, openers: Openers) -> Recorded:
    position, _, version, topic, state = row
    try:
        return from_state(position, stream, version, topic, state, openers=openers)
    except EventUnreadable as error:
        at = told_time(state) or _time_before(tx, position)
        nothing = cast("Any", Unreadable(topic, str(error)))
        return Recorded(position, stream, version, at, at, None, Actor("system"), nothing)


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


class _Time(msgspec.Struct):
    recorded_at: datetime


def told_time(state: bytes) -> datetime | None:
    """Return when an event was recorded by what can be read of its bytes."""
    try:
        return msgspec.json.decode(plain_part(state), type=_Time).recorded_at
    except (*UNREADABLE, IndexError, struct.error):
        return None


def _time_before(tx: Transaction, position: int) -> datetime:
    """Times in the log rise: what does not tell its own was recorded about when the one before it was."""
    rows = rows_where(tx, "{position} < ? ORDER BY {position} DESC LIMIT ?", (position, EARLIER))
    return next((at for row in rows if (at := told_time(row[4]))), datetime.min.replace(tzinfo=UTC))
