"""Rebuilding read models, beside reading and decoding the same events without applying them, and beside a bare loop
that makes a row of each.

`python -m tests.benchmarks replay:1000000` takes another number of events than 200,000.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from services.collector import seldom_collected
from services.house import SCHEMAS
from services.projector.rebuild import Rebuild, Wanted
from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.event_store.log import head, read_log
from shared.event_store.log_rows import Stored
from shared.event_store.mapper import About, Happening, to_state
from shared.event_store.store import EventStore
from shared.keys.place import Place
from shared.progress import nobody
from shared.read_models import live
from tests.benchmarks import bare
from tests.benchmarks.history import record_history
from tests.benchmarks.sealed import SECRET, open_sealed
from tests.benchmarks.table import Figure
from tests.peers.postgres import PostgresServer

EVENTS = 200_000
BATCH = 1000
SOME, LOOPS = 10_000, 20
GOALS = {"SQLite": 40_000, "PostgreSQL": 25_000}
Loop = Callable[[Sequence[Stored]], float]


def figures(events: int = EVENTS) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{Path(folder) / name}" for name in ("okno.db", "keys.db")]
        yield from _measure("SQLite", *urls, events, lambda some: bare.sqlite_loop(Path(folder), some, LOOPS))
    with PostgresServer() as postgres:
        empty = postgres.create_database()
        urls = [postgres.create_database(), postgres.create_database()]
        yield from _measure("PostgreSQL", *urls, events, lambda some: bare.postgres_loop(empty, some, LOOPS))


def _measure(name: str, url: str, keys_url: str, events: int, loop: Loop) -> Iterator[Figure]:
    asyncio.run(_fill(url, keys_url, events))
    database = open_sealed(url, keys_url)
    with database.reading() as tx:
        events = head(tx)
    with seldom_collected():
        yield from _rebuilt(name, database, Place(url, keys_url, SECRET), events, loop(_plain(database, events)))
    asyncio.run(database.close())


async def _fill(url: str, keys_url: str, events: int) -> None:
    """By connections that are closed afterwards: what they have written is in its place when the rebuild begins."""
    database = open_sealed(url, keys_url)
    create_tables(database, SCHEMAS)
    store = EventStore(database)
    store.create_tables()
    live.create_tables(database)
    await record_history(store, events)
    await database.close()


def _plain(database: Database, events: int) -> list[Stored]:
    """Return some events of all over the log as they would lie there if nothing were sealed."""
    found: list[Stored] = []
    for number in range(SOME // BATCH):
        with database.reading() as tx:
            for recorded in read_log(tx, number * events * BATCH // SOME, BATCH):
                about = About(recorded.occurred_at, recorded.actor, recorded.cause)
                state = to_state(Happening(recorded.event, about), recorded.recorded_at)
                found.append(Stored(0, recorded.stream_id, recorded.version, type(recorded.event).__name__, state))
    return found


def _rebuilt(name: str, database: Database, place: Place, events: int, loop: float) -> Iterator[Figure]:
    """From the first read to tables that could be switched in, indexes and all.

    The limit is measured before and after: a machine shared with others is not as fast all the time.
    """
    with database.writing() as tx:
        live.move(tx, list(live.models()), events)
    after, limit_name = _read(database, events), "read and decode only"
    for what, names in (("the timeline", ["timeline"]), ("all read models", list(live.models()))):
        before, rate, after = after, _build(database, place, names, events), _read(database, events)
        limit = (before + after) / 2
        title = f"rebuild of {events:,} events, {what}, {name}"
        yield Figure(title, rate, "/s", GOALS[name], True, loop, "a bare loop: decode, a row each, 500 a transaction")
        yield Figure(f"the same as a share of {limit_name} ({limit:,.0f}/s)", rate / limit, "", 0.3, True)


def _read(database: Database, events: int) -> float:
    """Return events a second."""
    began, position = time.perf_counter(), 0
    while position < events:
        with database.reading() as tx:
            position = read_log(tx, position, BATCH)[-1].position
    return events / (time.perf_counter() - began)


def _build(database: Database, place: Place, names: Sequence[str], events: int) -> float:
    with database.aside() as aside:
        work = Rebuild(database, aside, names, Wanted(names), nobody, place)
        began = time.perf_counter()
        work.build()
        rate = events / (time.perf_counter() - began)
        work.drop_left()
    return rate
