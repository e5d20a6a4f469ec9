"""Reading the log: one stream, or everything after a position in the order it was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from eventsourcing.persistence import Notification

from shared.database.protocol import Transaction
from shared.domain.events import Recorded
from shared.event_store.mapper import from_state
from shared.event_store.recorders import EVENTS, recorder_for


def read_stream(tx: Transaction, stream_id: UUID, *, after_version: int = 0) -> list[Recorded]:
    """Return the events of a stream in order; their `position` is 0, as streams do not need it."""
    stored = recorder_for(tx).select_events(stream_id, gt=after_version)
    return [from_state(0, stream_id, s.originator_version, s.topic, s.state) for s in stored]


def read_log(tx: Transaction, after: int, limit: int) -> list[Recorded]:
    """Return up to `limit` events recorded after a position, without gaps."""
    return [_recorded(n) for n in recorder_for(tx).select_notifications(after, limit, inclusive_of_start=False)]


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it lies in the log: `type` is its stored name, `state` the JSON of its envelope."""

    position: int
    stream_id: UUID
    version: int
    type: str
    state: bytes


def read_stored(tx: Transaction, after: int, limit: int) -> list[Stored]:
    """Return up to `limit` events recorded after a position, not decoded."""
    notifications = recorder_for(tx).select_notifications(after, limit, inclusive_of_start=False)
    return [Stored(n.id, cast("UUID", n.originator_id), n.originator_version, n.topic, n.state) for n in notifications]


def read_some(tx: Transaction, after: int, limit: int, types: Sequence[str]) -> tuple[int, list[Recorded]]:
    """Return up to `limit` events of some types, and the position up to which there is none left out."""
    recorder, until = recorder_for(tx), head(tx)
    notifications = recorder.select_notifications(after, limit, stop=until, topics=types, inclusive_of_start=False)
    events = [_recorded(notification) for notification in notifications]
    return (events[-1].position if len(events) == limit else max(after, until)), events


def read_streams(tx: Transaction, stream_ids: Sequence[UUID], recorded_until: datetime | None = None) -> list[Recorded]:
    """Return the events of several streams in the order they were recorded, up to a moment of our clock."""
    is_sqlite = tx.dialect == "sqlite"
    columns = f"{'rowid' if is_sqlite else 'notification_id'}, originator_id, originator_version, topic, state"
    ids = [stream_id.hex if is_sqlite else stream_id for stream_id in stream_ids]
    found: list[Recorded] = []
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        sql = f"SELECT {columns} FROM {EVENTS} WHERE originator_id IN ({','.join('?' * len(part))})"
        for position, stream, version, topic, state in tx.rows(sql, part):
            recorded = from_state(position, UUID(str(stream)), version, topic, bytes(state))
            if recorded_until is None or recorded.recorded_at <= recorded_until:
                found.append(recorded)
    return sorted(found, key=lambda recorded: recorded.position)


def head(tx: Transaction) -> int:
    """Return the position of the last event, 0 when there is none."""
    return recorder_for(tx).max_notification_id() or 0


def _recorded(n: Notification) -> Recorded:
    return from_state(int(n.id), cast("UUID", n.originator_id), n.originator_version, n.topic, n.state)
