"""Linking and verifying the log's hash chain over 1,000,000 events, beside reading the same rows; one byte is found.

The events are rows of the size the log has; the chain does not look into them.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from services.projector.chain import link_next
from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.event_store import chain
from shared.event_store.chain_verify import verify
from shared.event_store.store import EventStore
from tests.benchmarks.table import Figure
from tests.peers.postgres import PostgresServer

EVENTS = 1_000_000
BATCH = 5000
CHANGED = 765_432


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _measure("SQLite", f"sqlite:///{Path(folder) / 'okno.db'}")
    with PostgresServer() as postgres:
        yield from _measure("PostgreSQL", postgres.create_database())


def _measure(name: str, url: str) -> Iterator[Figure]:
    database = open_database(url)
    EventStore(database).create_tables()
    _fill(database)
    limit = _read(database)
    yield Figure(
        f"chain: events/s linked, {name}", asyncio.run(_link(database)), "/s", 30_000, True, limit, "read only"
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    verified = asyncio.run(verify(database))
    rate = verified.events / (time.perf_counter() - began)
    assert (verified.events, verified.unlinked, verified.difference) == (EVENTS, 0, None), verified
    yield Figure(f"chain: events/s verified, {name}", rate, "/s", 50_000, True, limit, "read only")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    yield Figure(f"chain: memory that verifying took, {name}", grown, "MB", 100, False)
    with database.writing() as tx:
        _change_one_byte(tx)
    difference = asyncio.run(verify(database)).difference
    assert difference is not None
    found = difference.what == "changed" and difference.position == CHANGED
    yield Figure(f"chain: one changed byte in {EVENTS:,} events found, {name}", float(found), "", 1, True)
    asyncio.run(database.close())


def _fill(database: Database) -> None:
    for start in range(1, EVENTS + 1, BATCH):
        with database.writing() as tx:
            rows = [_row(tx, number) for number in range(start, start + BATCH)]
            tx.insert_many("stored_events", ("originator_id", "originator_version", "topic", "state"), rows)


def _row(tx: Transaction, number: int) -> tuple[object, ...]:
    stream = UUID(int=number // 7)
    state = (b'{"number":%d,"text":"' % number).ljust(850, b"z") + b'"}'
    return (stream.hex if tx.dialect == "sqlite" else stream, number % 7 + 1, "MessageReceived", state)


def _read(database: Database) -> float:
    """Return rows a second."""
    began, position = time.perf_counter(), 0
    while position < EVENTS:
        with database.reading() as tx:
            position = chain._rows(tx, position, None, 500)[-1][0]
    return EVENTS / (time.perf_counter() - began)


async def _link(database: Database) -> float:
    began = time.perf_counter()
    while await link_next(database):
        pass
    return EVENTS / (time.perf_counter() - began)


def _change_one_byte(tx: Transaction) -> None:
    position = "rowid" if tx.dialect == "sqlite" else "notification_id"
    row = tx.row(f"SELECT state FROM stored_events WHERE {position} = ?", (CHANGED,))
    assert row is not None
    state = bytearray(row[0])
    state[500] ^= 1
    tx.run(f"UPDATE stored_events SET state = ? WHERE {position} = ?", (bytes(state), CHANGED))
