"""What the search index costs a message beside the tables that are shown, and how long a search takes among 100,000."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from services.house import SCHEMAS
from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.domain.events import MessageReceived, Recorded
from shared.event_store.log import read_log
from shared.event_store.store import EventStore
from shared.read_models import live
from shared.read_models.search_results import Filters, search
from shared.read_models.search_words import parse
from tests.benchmarks.history import record_history
from tests.benchmarks.load import percentile
from tests.benchmarks.sealed import open_sealed
from tests.benchmarks.table import Figure
from tests.peers.postgres import PostgresServer

EVENTS, BATCH = 200_000, 500
TYPED = ("доставка", "зак", "клиента 77", '"приедет заказ"', "client1234@example.com", "нигде")
SEARCHES = 120


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{Path(folder) / name}" for name in ("okno.db", "keys.db")]
        yield from asyncio.run(_measure("SQLite", *urls))
    with PostgresServer() as postgres:
        yield from asyncio.run(_measure("PostgreSQL", postgres.create_database(), postgres.create_database()))


async def _measure(name: str, url: str, keys_url: str) -> list[Figure]:
    database = open_sealed(url, keys_url)
    create_tables(database, SCHEMAS)
    store = EventStore(database)
    store.create_tables()
    live.create_tables(database)
    await record_history(store, EVENTS)
    shown, indexed, messages = 0.0, 0.0, 0
    for events in await _batches(database):
        messages += sum(isinstance(recorded.event, MessageReceived) for recorded in events)
        began = time.process_time()
        await database.write(partial(live.take_in, events=events), brief=True)
        between = time.process_time()
        await database.write(partial(live.take_in_apart, name="search", events=events), brief=True)
        shown, indexed = shown + between - began, indexed + time.process_time() - between
    delays = [await _search(database, TYPED[number % len(TYPED)]) for number in range(SEARCHES)]
    await database.close()
    cost, limit = 1e6 * indexed / messages, 1e6 * shown / messages
    return [
        Figure(f"search: processor time a message, {name}", cost, "µs", 100, False, limit, "the tables shown"),
        Figure(f"search: p99 among 100,000 messages, {name}", percentile(delays, 0.99), "ms", 100, False),
    ]


async def _batches(database: Database) -> Sequence[list[Recorded]]:
    found: list[list[Recorded]] = []
    while events := await database.read(partial(read_log, after=found[-1][-1].position if found else 0, limit=BATCH)):
        found.append(events)
    return found


async def _search(database: Database, typed: str) -> float:
    """Return milliseconds."""
    began = time.perf_counter()
    await database.read(partial(search, query=parse(typed), filters=Filters(), before=None, limit=50))
    return 1000 * (time.perf_counter() - began)
