"""What a message costs to project into tables that already contain 10,000, 100,000 and 1,000,000 messages.

Twice: for clients as they come, nine of ten messages from those of the last days and one from anybody who ever wrote;
and for the worst there is, every message from anybody. Beside that stands what the database alone does: the same rows
inserted into a table with the timeline's indexes, and nothing else.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from random import Random

from services.collector import seldom_collected
from services.house import SCHEMAS
from services.projector import inbound
from shared.contracts.inbound import InboundMessage
from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.domain import events as e
from shared.event_store.log import head, read_log
from shared.event_store.store import EventStore
from shared.read_models import live
from tests.benchmarks.history import message, written
from tests.benchmarks.sealed import open_sealed
from tests.benchmarks.table import Figure
from tests.peers.postgres import PostgresServer

MESSAGES = 1_000_000
MESSAGES_A_CLIENT = 5
BATCH = 200
FILLED = 2000
MEASURED = 4000
ANYBODY = 0.1
AT_A_TIME = 40
"""So many clients are in the midst of something."""
GROWS = 1.3
_COLUMNS = (
    "position", "id", "customer_id", "conversation_id", "kind", "changes", "facet", "occurred", "came_at", "body",
)  # fmt: skip
_NAMES = ", ".join(_COLUMNS)


def figures(messages: int = MESSAGES) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _measure(
            "SQLite", messages, *(f"sqlite:///{Path(folder) / name}" for name in ("okno.db", "keys.db"))
        )
    with PostgresServer() as postgres:
        yield from _measure("PostgreSQL", messages, postgres.create_database(), postgres.create_database())


def _measure(name: str, messages: int, url: str, keys_url: str) -> Iterator[Figure]:
    database = open_sealed(url, keys_url)
    create_tables(database, SCHEMAS)
    EventStore(database).create_tables()
    live.create_tables(database)
    grown, clients = _Grown(database, messages // MESSAGES_A_CLIENT), _Clients()
    costs: list[tuple[float, float, float]] = []
    sizes = (messages // 100, messages // 10, messages)
    with seldom_collected():
        for size in sizes:
            grown.to(size)
            known = min(size, grown.clients)
            came = grown.cost([clients.as_they_come(known, grown.clients) for _ in range(MEASURED)])
            before = grown.shown()
            anybody = grown.cost([clients.anybody(known, grown.clients) for _ in range(MEASURED)])
            costs.append((came, anybody, grown.bare_cost(before)))
    asyncio.run(database.close())
    title = f"a message projected at {', '.join(f'{size:,}' for size in sizes)} messages, {name}"
    as_they_come, from_anybody, alone = ([each[kind] for each in costs] for kind in range(3))
    yield Figure(f"{title}, clients as they come: {_told(as_they_come)}", _growth(as_they_come), "×", GROWS, False)
    worst, limit_name = f"{title}, each from anybody: {_told(from_anybody)}", f"the rows alone: {_told(alone)}"
    yield Figure(worst, _growth(from_anybody), "×", GROWS, False, _growth(alone), limit_name)


def _told(costs: Sequence[float]) -> str:
    return f"{', '.join(f'{1e6 * cost:.0f}' for cost in costs)} µs"


def _growth(costs: Sequence[float]) -> float:
    return costs[-1] / costs[0]


class _Clients:
    """Who writes what next: no message twice."""

    def __init__(self) -> None:
        self._chance = Random(7)
        self._numbers = count(10)
        self._wrote: set[int] = set()

    def anybody(self, known: int, clients: int) -> InboundMessage:
        """A message from one of the known, who go on with what they wrote first."""
        return message(clients * next(self._numbers) + self._chance.randrange(known), clients)

    def as_they_come(self, known: int, clients: int) -> InboundMessage:
        """Mostly from one of those who have begun lately, each of whom writes some five times."""
        if self._chance.random() < ANYBODY:
            return self.anybody(known, clients)
        at = next(self._numbers)
        newest = at // MESSAGES_A_CLIENT
        client = 2 * MESSAGES + max(0, newest - self._chance.randrange(AT_A_TIME))
        if client in self._wrote:
            return written(client, 4 * MESSAGES + at)
        self._wrote.add(client)
        return written(client, client)


class _Grown:
    """Log and tables that grow together, as those of `okno up` do."""

    def __init__(self, database: Database, clients: int) -> None:
        self.database, self.clients = database, clients
        self._clock: Callable[[], float] = time.process_time if database.dialect == "sqlite" else time.perf_counter
        self._size = 0

    def to(self, size: int) -> None:
        """Let clients write in turn until so many messages are there."""
        store = EventStore(self.database, shows=live.take_in_next)
        for start in range(self._size, size, FILLED):
            self._record(store, [message(number, self.clients) for number in range(start, min(start + FILLED, size))])
            for events in self._batches(self.shown(), FILLED):  # PostgreSQL's are shown by who follows the log
                self._take_in(events)
        self._size = size
        assert self.shown() == self._head()

    def cost(self, messages: Sequence[InboundMessage]) -> float:
        """Return the median of what one of them costs, in seconds, in batches as `follow` takes them."""
        after = self._head()
        self._record(EventStore(self.database), messages)
        return statistics.median(self._take_in(batch) for batch in self._batches(after, BATCH))

    def bare_cost(self, after: int) -> float:
        """Return the same of the timeline's rows after a position, into a copy of it as it was."""
        with self.database.writing() as tx:
            schema, indexes = (live.models()["timeline"].schema("bare_"), live.models()["timeline"].indexes("bare_"))
            tx.script(schema)
            tx.run(f"INSERT INTO bare_timeline ({_NAMES}) SELECT {_NAMES} FROM timeline WHERE position <= ?", (after,))
            tx.script(indexes)
        with self.database.reading() as tx:
            rows = tx.rows(f"SELECT {_NAMES} FROM timeline WHERE position > ? ORDER BY position", (after,))
        median = statistics.median(self._insert(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH))
        with self.database.writing() as tx:
            for table in live.models()["timeline"].tables:
                tx.run(f"DROP TABLE bare_{table}")
        return median

    def shown(self) -> int:
        """Return how far the tables are."""
        with self.database.reading() as tx:
            return live.position(tx)

    def _head(self) -> int:
        with self.database.reading() as tx:
            return head(tx)

    def _record(self, store: EventStore, messages: Sequence[InboundMessage]) -> None:
        async def all_of_them() -> None:
            for start in range(0, len(messages), BATCH):
                batch = messages[start : start + BATCH]
                await store.record(lambda session, tx, batch=batch: inbound.receive(session, tx, batch))  # type: ignore[misc]

        asyncio.run(all_of_them())

    def _batches(self, after: int, limit: int) -> Iterator[list[e.Recorded]]:
        while True:
            with self.database.reading() as tx:
                events = read_log(tx, after, limit)
            if not events:
                return
            yield events
            after = events[-1].position

    def _take_in(self, events: Sequence[e.Recorded]) -> float:
        messages = sum(isinstance(recorded.event, e.MessageReceived) for recorded in events)
        began = self._clock()
        with self.database.writing() as tx:
            live.take_in(tx, events)
        return (self._clock() - began) / max(messages, 1)

    def _insert(self, rows: Sequence[Sequence[object]]) -> float:
        began = self._clock()
        with self.database.writing() as tx:
            tx.insert_many("bare_timeline", _COLUMNS, rows)
        return (self._clock() - began) / len(rows)
