"""Replaying 200,000 events into the timeline, beside reading and decoding the same events without applying them."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from services.house import SCHEMAS
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.event_store.log import read_log
from shared.event_store.store import EventStore
from shared.read_models import live
from tests.benchmarks.history import record_history
from tests.benchmarks.table import Figure
from tests.peers.postgres import PostgresServer

EVENTS = 200_000
BATCH = 1000
PREFIX = "bench_"


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
    limit = _replay(database, apply=False)
    rate = _replay(database, apply=True)
    return Figure(
        f"replay of 200,000 events into the timeline, {name}", rate, "/s", goal, True, limit, "read and decode only"
    )


async def _fill(database: Database, store: EventStore) -> None:
    await record_history(store, EVENTS)


def _replay(database: Database, *, apply: bool) -> float:
    """Return events a second."""
    timeline = live.models()["timeline"]
    with database.writing() as tx:
        tx.script(timeline.schema(PREFIX))
    began, position, count = time.perf_counter(), 0, 0
    while True:
        with database.writing() as tx:
            events = read_log(tx, position, BATCH)
            if apply:
                timeline.apply(tx, events, PREFIX)
        if not events:
            return count / (time.perf_counter() - began)
        position, count = events[-1].position, count + len(events)
