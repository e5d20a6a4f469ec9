"""What a message costs to project into tables that already contain 10,000, 100,000 and 1,000,000 messages.

Twice: for clients as they come, nine of ten messages from those of the last days and one from anybody who ever wrote;
and for the worst there is, every message from anybody. Beside each stands what the database alone does: the same rows
inserted into a table with the timeline's indexes, and nothing else. The sizes take turns, as a machine that is shared
with others is not as fast all the time.
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
from shared.database.protocol import Database, Row
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
MEASURED, ROUNDS = 1000, 4
ANYBODY = 0.1
AT_A_TIME = 40
"""So many clients are in the midst of something."""
GROWS = 1.3
_COLUMNS = (
    "position", "id", "customer_id", "conversation_id", "kind", "changes", "facet", "occurred", "came_at", "body",
)  # fmt: skip
_NAMES = ", ".join(_COLUMNS)
_GROWN = f"SELECT {_NAMES} FROM timeline WHERE position <= ? ORDER BY position"


def figures(messages: int = MESSAGES) -> Iterator[Figure]:
    sizes = (messages // 100, messages // 10, messages)
    with tempfile.TemporaryDirectory() as folder:
        names = ((f"{size}.db", f"keys{size}.db") for size in sizes)
        urls = [(f"sqlite:///{Path(folder) / log}", f"sqlite:///{Path(folder) / keys}") for log, keys in names]
        yield from _measure("SQLite", sizes, urls)
    with PostgresServer() as postgres:
        yield from _measure(
            "PostgreSQL", sizes, [(postgres.create_database(), postgres.create_database()) for _ in sizes]
        )


def _measure(name: str, sizes: Sequence[int], urls: Sequence[tuple[str, str]]) -> Iterator[Figure]:
    with seldom_collected():
        grown = [_Grown(size, *each) for size, each in zip(sizes, urls, strict=True)]
        title = f"a message projected at {', '.join(f'{size:,}' for size in sizes)} messages, {name}"
        for who in ("clients as they come", "each from anybody"):
            costs, alone = _costs(grown, who)
            limit, limit_name = _growth(alone), f"the rows alone: {_told(alone)}"
            yield Figure(f"{title}, {who}: {_told(costs)}", _growth(costs), "×", GROWS, False, limit, limit_name)
    for each in grown:
        asyncio.run(each.database.close())


def _costs(grown: Sequence[_Grown], who: str) -> tuple[list[float], list[float]]:
    """Return the median of what a message costs at each size, and of what its rows alone do, in seconds."""
    before = [each.shown() for each in grown]
    costs: list[list[float]] = [[] for _ in grown]
    for _ in range(ROUNDS):
        for each, found in zip(grown, costs, strict=True):
            found += each.costs(who)
    bare = [each.bare(after) for each, after in zip(grown, before, strict=True)]
    alone: list[list[float]] = [[] for _ in grown]
    for rows in zip(*(each.batches() for each in bare), strict=False):
        for table, found, batch in zip(bare, alone, rows, strict=True):
            found.append(table.insert(batch))
    for table in bare:
        table.drop()
    return [statistics.median(found) for found in costs], [statistics.median(found) for found in alone]


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
    """Log and tables that have grown together to a size, as those of `okno up` do."""

    def __init__(self, size: int, url: str, keys_url: str) -> None:
        self.database = open_sealed(url, keys_url)
        create_tables(self.database, SCHEMAS)
        EventStore(self.database).create_tables()
        live.create_tables(self.database)
        self._clients, self._who = max(1, size // MESSAGES_A_CLIENT), _Clients()
        self._clock: Callable[[], float] = time.process_time if self.database.dialect == "sqlite" else time.perf_counter
        self._grow(size)

    def _grow(self, size: int) -> None:
        """Let clients write in turn until so many messages are there."""
        store = EventStore(self.database, shows=live.take_in_next)
        for start in range(0, size, FILLED):
            self._record(store, [message(number, self._clients) for number in range(start, min(start + FILLED, size))])
            for events in self._batches(self.shown(), FILLED):  # PostgreSQL's are shown by who follows the log
                self._take_in(events)
        assert self.shown() == self._head()

    def costs(self, who: str) -> list[float]:
        """Return what one of some more messages costs, in seconds, by batches as `follow` takes them."""
        next_one = self._who.as_they_come if who == "clients as they come" else self._who.anybody
        after = self._head()
        self._record(EventStore(self.database), [next_one(self._clients, self._clients) for _ in range(MEASURED)])
        return [self._take_in(batch) for batch in self._batches(after, BATCH)]

    def bare(self, after: int) -> _Bare:
        """Return a copy of the timeline as it was at a position."""
        return _Bare(self.database, after, self._clock)

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


class _Bare:
    """The timeline's rows alone, in a table that has grown as it has: an index made at once would have full pages,
    which the next rows split."""

    def __init__(self, database: Database, after: int, clock: Callable[[], float]) -> None:
        self._database, self._after, self._clock = database, after, clock
        model = live.models()["timeline"]
        with database.writing() as tx:
            tx.script(model.schema("bare_"))
            tx.script(model.indexes("bare_"))
            tx.run(f"INSERT INTO bare_timeline ({_NAMES}) {_GROWN}", (after,))

    def batches(self) -> list[list[Row]]:
        """Return the rows that came since."""
        with self._database.reading() as tx:
            rows = tx.rows(f"SELECT {_NAMES} FROM timeline WHERE position > ? ORDER BY position", (self._after,))
        return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]

    def insert(self, rows: Sequence[Row]) -> float:
        """Return what one of these rows costs, in seconds."""
        began = self._clock()
        with self._database.writing() as tx:
            tx.insert_many("bare_timeline", _COLUMNS, rows)
        return (self._clock() - began) / len(rows)

    def drop(self) -> None:
        with self._database.writing() as tx:
            for table in live.models()["timeline"].tables:
                tx.run(f"DROP TABLE bare_{table}")
