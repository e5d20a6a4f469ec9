"""Rebuilding read models, beside reading and decoding the same events without applying them; and whether projecting a
message costs the same however many there are.

`python -m tests.benchmarks replay:1000000` takes another number of events than 200,000.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from services.collector import seldom_collected
from services.house import SCHEMAS
from services.projector import inbound
from services.projector.rebuild import Rebuild, Wanted, rebuild
from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.domain import events as e
from shared.event_store.log import head, read_log
from shared.event_store.store import EventStore
from shared.keys.place import Place
from shared.progress import nobody
from shared.read_models import live
from tests.benchmarks.history import message, record_history
from tests.benchmarks.sealed import SECRET, open_sealed
from tests.benchmarks.table import Figure
from tests.peers.postgres import PostgresServer

EVENTS = 200_000
EVENTS_A_CLIENT = 10
BATCH = 1000
LIVE_BATCH = 200
LIVE_MESSAGES = 4000
GOALS = {"SQLite": 40_000, "PostgreSQL": 25_000}


def figures(events: int = EVENTS) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{Path(folder) / name}" for name in ("okno.db", "keys.db")]
        yield from _measure("SQLite", *urls, events)
    with PostgresServer() as postgres:
        yield from _measure("PostgreSQL", postgres.create_database(), postgres.create_database(), events)


def _measure(name: str, url: str, keys_url: str, events: int) -> Iterator[Figure]:
    database = open_sealed(url, keys_url)
    create_tables(database, SCHEMAS)
    store = EventStore(database)
    store.create_tables()
    live.create_tables(database)
    asyncio.run(record_history(store, events))
    with database.reading() as tx:
        events = head(tx)
    with seldom_collected():
        yield from _rebuilt(name, database, Place(url, keys_url, SECRET), events)
        yield _flat(name, database, store, [events // 100, events // 10, events])
    asyncio.run(database.close())


def _rebuilt(name: str, database: Database, place: Place, events: int) -> Iterator[Figure]:
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
        yield Figure(title, rate, "/s", GOALS[name], True, limit, limit_name)
        yield Figure(f"the same as a share of {limit_name}", rate / limit, "", 0.3, True)


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


def _flat(name: str, database: Database, store: EventStore, sizes: Sequence[int]) -> Figure:
    """Project messages of clients from all over, into tables that contain so many events."""
    clock = time.process_time if database.dialect == "sqlite" else time.perf_counter
    stored, costs = [], []
    for size in sizes:
        events = asyncio.run(_further(database, store, size))
        asyncio.run(_fill_to(database, size))
        stored.append(f"{_number(database, 'SELECT sum(messages_count) FROM conversations'):,}")
        costs.append(_cost(database, events, clock))
    title = f"a message projected at {', '.join(stored[:-1])} and {stored[-1]} messages, last to first, {name}"
    return Figure(
        f"{title} ({', '.join(f'{cost * 1e6:,.0f}' for cost in costs)} µs)", costs[-1] / costs[0], "", 1.3, False
    )


def _number(database: Database, sql: str) -> int:
    with database.reading() as tx:
        row = tx.row(sql)
    return int(row[0] or 0) if row else 0


async def _further(database: Database, store: EventStore, size: int) -> list[e.Recorded]:
    """Record messages of clients who stand among the first events; return what that made."""
    chance, clients = Random(size), size // EVENTS_A_CLIENT
    after = await database.read(head)
    for _ in range(LIVE_MESSAGES // LIVE_BATCH):
        numbers = [clients * chance.randrange(10, 10**6) + chance.randrange(clients) for _ in range(LIVE_BATCH)]
        batch = [message(number, clients) for number in numbers]
        await store.record(lambda session, tx, batch=batch: inbound.receive(session, tx, batch))  # type: ignore[misc]
    return await database.read(lambda tx: read_log(tx, after, 10 * LIVE_MESSAGES))


async def _fill_to(database: Database, size: int) -> None:
    def move(tx: object) -> None:
        live.move(tx, list(live.models()), size)  # type: ignore[arg-type]

    await database.write(move)
    await rebuild(database, Wanted(shown=0))


def _cost(database: Database, events: Sequence[e.Recorded], clock: Callable[[], float]) -> float:
    """Return the median of what a message costs, in batches as `follow` takes them."""
    costs = []
    for start in range(0, len(events), LIVE_BATCH):
        batch = events[start : start + LIVE_BATCH]
        messages = sum(isinstance(recorded.event, e.MessageReceived) for recorded in batch)
        began = clock()
        with database.writing() as tx:
            live.take_in(tx, batch)
        costs.append((clock() - began) / max(messages, 1))
    return statistics.median(costs)
