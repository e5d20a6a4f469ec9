"""Exporting a million events, beside reading and decoding the same events without writing them; and its memory."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from services.collector import seldom_collected
from services.export.files import JsonLines, whole_file
from services.export.parquet import Parquet
from services.export.write import write_events
from services.house import SCHEMAS
from services.inbox_api.selection import Selection
from shared.database.schema import create_tables
from shared.event_store.log import head, read_log
from shared.event_store.store import EventStore
from shared.keys.place import Place
from shared.read_models import live
from tests.benchmarks.history import record_history
from tests.benchmarks.sealed import SECRET, open_sealed
from tests.benchmarks.table import Figure
from tests.peers.postgres import PostgresServer

EVENTS = int(os.environ.get("OKNO_BENCH_EVENTS", "1000000"))
BATCH = 1000
KB_PER_MB = 1024


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{Path(folder) / name}" for name in ("okno.db", "keys.db")]
        yield from _measure("SQLite", urls, Path(folder))
        with PostgresServer() as postgres:
            yield from _measure("PostgreSQL", [postgres.create_database(), postgres.create_database()], Path(folder))


def _measure(name: str, urls: list[str], folder: Path) -> Iterator[Figure]:
    """`urls`: of the log and of its keys."""
    (count,) = _apart(_fill, *urls)
    (limit,) = _apart(_read, *urls)
    for file, goal in (("e.jsonl", 100_000), ("e.parquet", 0)):
        rate, grown = _apart(_export, *urls, str(folder / file))
        label = f"{count:,.0f} events, {file.rpartition('.')[2]}, {name}"
        yield Figure(f"export of {label}", rate, "/s", goal, True, limit, "read and decode only")
        yield Figure(f"memory its last nine tenths took, {label}", grown, "MB", 64, False)


def _apart(job: Callable[..., Coroutine[Any, Any, tuple[float, ...]]], *arguments: str) -> tuple[float, ...]:
    """Run a job in a process of its own, as a command does: with a collector and a memory that nobody else has used."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (job, arguments))


def _run(job: Callable[..., Coroutine[Any, Any, tuple[float, ...]]], arguments: tuple[str, ...]) -> tuple[float, ...]:
    with seldom_collected():
        return asyncio.run(job(*arguments))


async def _fill(url: str, keys_url: str) -> tuple[float, ...]:
    """Return how many events were recorded."""
    database = open_sealed(url, keys_url)
    create_tables(database, SCHEMAS)
    store = EventStore(database)
    store.create_tables()
    live.create_tables(database)
    await record_history(store, EVENTS)
    count = await database.read(head)
    await database.close()
    return (count,)


async def _read(url: str, keys_url: str) -> tuple[float, ...]:
    """Return events a second."""
    database = open_sealed(url, keys_url)
    began, position, count = time.perf_counter(), 0, 0
    while events := await database.read(partial(read_log, after=position, limit=BATCH), brief=True):
        position, count = events[-1].position, count + len(events)
    rate = count / (time.perf_counter() - began)
    await database.close()
    return (rate,)


async def _export(url: str, keys_url: str, name: str) -> tuple[float, ...]:
    """Return events a second, and by how many MB the process grew after the first tenth."""
    database, peaks = open_sealed(url, keys_url), [0]

    def progress(done: int, total: int) -> None:
        if done * 10 <= total or done == total:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    began = time.perf_counter()
    with whole_file(name) as out:
        file = Parquet(out) if name.endswith("parquet") else JsonLines(out, compressed=False)
        written = await write_events(database, Selection(), file, progress, Place(url, keys_url, SECRET))
    rate = written.events / (time.perf_counter() - began)
    await database.close()
    return rate, (peaks[-1] - peaks[-2]) / KB_PER_MB
