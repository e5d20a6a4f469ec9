"""The least a chain of this kind does, without Okno: the limits that its figures stand beside.

Loops of some 500 events a transaction in which nothing is decided, looked up, sealed or moved.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import psycopg
from aiokafka import AIOKafkaConsumer

from shared.event_store.log_rows import Stored
from shared.event_store.mapper import from_state

BATCH = 500
_LOG = "stored_events (position, originator_id, originator_version, topic, state)"
_ROWS = "bare_rows (position, id, kind, body)"
_READ = (
    "SELECT position, originator_id, originator_version, topic, state FROM stored_events"
    " WHERE position > {} ORDER BY position LIMIT 500"
)
_Row = tuple[object, ...]


def sqlite_loop(folder: Path, events: Sequence[Stored], times: int) -> float:
    """Return how many events a second one loop reads, decodes and makes a row of; `times` as many as are given."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _schema("TEXT", "BLOB"))
    count = len(events) * times
    for start in range(times):
        rows = [(start * len(events) + n, s.stream_id.hex, s.version, s.type, s.state) for n, s in enumerate(events, 1)]
        db.execute("BEGIN")
        db.executemany(f"INSERT INTO {_LOG} VALUES (?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")
    began, at = time.perf_counter(), 0
    while at < count:
        read = db.execute(_READ.format("?"), (at,)).fetchall()
        at = read[-1][0]
        db.execute("BEGIN IMMEDIATE")
        db.executemany(f"INSERT INTO {_ROWS} VALUES (?, ?, ?, ?)", _rows_of(read))
        db.execute("UPDATE bare_position SET position = ?", (at,))
        db.execute("COMMIT")
    rate = count / (time.perf_counter() - began)
    db.close()
    return rate


def postgres_loop(url: str, events: Sequence[Stored], times: int) -> float:
    """The same on PostgreSQL."""
    count = len(events) * times
    with psycopg.connect(url) as db:
        for statement in _schema("uuid", "bytea").split(";"):
            db.execute(statement)  # type: ignore[arg-type]
        for start in range(times):
            with db.cursor().copy(f"COPY {_LOG} FROM STDIN") as copy:  # type: ignore[arg-type]
                for number, each in enumerate(events, 1):
                    copy.write_row((start * len(events) + number, each.stream_id, each.version, each.type, each.state))
        db.commit()
        began, at = time.perf_counter(), 0
        while at < count:
            read = db.execute(_READ.format("%s"), (at,), binary=True).fetchall()  # type: ignore[arg-type]
            at = read[-1][0]
            _unnested(db, _ROWS, ("bigint", "uuid", "text", "text"), _rows_of(read))
            db.execute("UPDATE bare_position SET position = %s", (at,))
            db.commit()
        return count / (time.perf_counter() - began)


async def kafka_chain(bootstrap: str, topic: str, url: str, messages: int) -> float:
    """Return how many messages a second come from a topic into a table, a row each, with the position they are at."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=f"bare-{uuid4()}", auto_offset_reset="earliest",
        enable_auto_commit=False,
    )  # fmt: skip
    await consumer.start()
    try:
        with psycopg.connect(url) as db:
            for statement in _schema("uuid", "bytea").split(";"):
                db.execute(statement)  # type: ignore[arg-type]
            db.commit()
            done, began = 0, 0.0
            while done < messages:
                came = await consumer.getmany(max_records=BATCH, timeout_ms=1000)
                records = [record for part in came.values() for record in part]
                began = began or time.perf_counter()
                rows = [(done + number, uuid4(), 1, "Message", each.value) for number, each in enumerate(records, 1)]
                done += len(rows)
                _unnested(db, _LOG, ("bigint", "uuid", "bigint", "text", "bytea"), rows)
                db.execute("UPDATE bare_position SET position = %s", (done,))
                db.commit()
            return messages / (time.perf_counter() - began)
    finally:
        await consumer.stop()


def _schema(uuid: str, binary: str) -> str:
    return (
        f"CREATE TABLE stored_events (position BIGINT PRIMARY KEY, originator_id {uuid}, originator_version BIGINT,"
        f" topic TEXT, state {binary}); CREATE UNIQUE INDEX stored ON stored_events (originator_id, originator_version,"
        f" position); CREATE TABLE bare_rows (position BIGINT PRIMARY KEY, id {uuid}, kind TEXT, body TEXT);"
        " CREATE INDEX bare_rows_id ON bare_rows (id, position);"
        " CREATE TABLE bare_position (position BIGINT); INSERT INTO bare_position VALUES (0)"
    )


def _rows_of(read: Sequence[_Row]) -> list[_Row]:
    """Each event is decoded; its row has its text as it was."""
    rows: list[_Row] = []
    for position, stream, version, topic, state in read:
        recorded = from_state(position, stream, version, topic, state)  # type: ignore[arg-type]
        rows.append((position, stream, type(recorded.event).__name__, state.decode()))  # type: ignore[attr-defined]
    return rows


def _unnested(db: psycopg.Connection[_Row], table: str, types: Sequence[str], rows: Sequence[_Row]) -> None:
    arrays = ",".join(f"%b::{kind}[]" for kind in types)
    columns = [list(column) for column in zip(*rows, strict=True)]
    if rows:
        db.execute(f"INSERT INTO {table} SELECT * FROM unnest({arrays})", columns)  # type: ignore[arg-type]
