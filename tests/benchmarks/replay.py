"""Replaying 200,000 events into the timeline, beside reading and decoding the same events without applying them."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from services.house import SCHEMAS
from services.projector.rebuild import replay
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.event_store.log import head, read_log
from shared.event_store.store import EventStore
from shared.read_models import live
from tests.benchmarks.history import record_history
from tests.benchmarks.table import Figure
from tests.peers.postgres import PostgresServer

EVENTS = 200_000
BATCH = 1000


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        yield _measure("SQLite", f"sqlite:///{Path(folder) / 'okno.db'}", 40_000)
    with PostgresServer() as postgres:
        yield _measure("PostgreSQL", postgres.create_database(), 25_000)


def _measure(name: str, url: str, goal: float) -> Figure:
    database = open_database(url)
    create_tables(database, SCHEMAS)
    store = EventStore(database)
    store.create_tables()
    live.create_tables(database)
    asyncio.run(_fill(database, store))
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    limit = _read(database)
    rate = asyncio.run(_replay(database))
    return Figure(
        f"replay of 200,000 events into the timeline, {name}", rate, "/s", goal, True, limit, "read and decode only"
    )


async def _fill(database: Database, store: EventStore) -> None:
    """Also say that the live timeline is at the end: a replay goes as far as that."""
    await record_history(store, EVENTS)
    await database.write(lambda tx: live.move(tx, "timeline", head(tx)))


def _read(database: Database) -> float:
    """Return events a second."""
    began, position, count = time.perf_counter(), 0, 0
    while True:
        with database.reading() as tx:
            events = read_log(tx, position, BATCH)
        if not events:
            return count / (time.perf_counter() - began)
        position, count = events[-1].position, count + len(events)


async def _replay(database: Database) -> float:
    """Return events a second, from the first read to tables that could be switched in, indexes and all."""
    count = await database.read(lambda tx: tx.row("SELECT count(*) FROM stored_events"))
    began = time.perf_counter()
    await replay(database, ["timeline"])
    return int(count[0]) / (time.perf_counter() - began) if count else 0.0
