"""Pages of timelines and of the past among 1,000,000 messages of 100,000 conversations, beside the bare statements."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID

import orjson

from services.inbox_api import past
from services.inbox_api.timelines import Asked, entries
from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.event_store.log import head, read_log
from shared.read_models import conversations
from shared.read_models.timeline_pages import Page
from tests.benchmarks.large import BIG, CALLS, HUNDRED, TEN_THOUSAND, conversation_of, copy, fill, small
from tests.benchmarks.table import Figure
from tests.peers.postgres import PostgresServer

PAGES = 300
LISTS = 60
Question = Callable[[Transaction], object]


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as postgres:
        file = Path(folder) / "okno.db"
        database = open_database(f"sqlite:///{file}")
        with _timed("filling SQLite"):
            fill(database)
        yield from _measure("SQLite", database)
        database = open_database(postgres.create_database())
        with _timed("copying it to PostgreSQL"):
            copy(file, database)
        yield from _measure("PostgreSQL", database)


@dataclass
class Asker:
    """Asks random questions about the filled tables and knows how long each took."""

    database: Database
    chance: Random = field(default_factory=lambda: Random(7))
    end: int = 0
    moments: list[datetime] = field(default_factory=list)

    def prepare(self) -> None:
        with self.database.reading() as tx:
            self.end = head(tx)
            for position in sorted(self.chance.sample(range(self.end // 20, self.end), 100)):
                self.moments.append(read_log(tx, position, 1)[0].recorded_at)

    def seconds(self, questions: Iterator[Question], count: int) -> list[float]:
        """Return how long each of some questions took with its answer as JSON, sorted; the first ones warm up."""
        took: list[float] = []
        for _ in range(count + 10):
            question = next(questions)
            with self.database.reading() as tx:
                began = time.perf_counter()
                orjson.dumps(question(tx), default=str)
                took.append(time.perf_counter() - began)
        return sorted(took[10:])

    def page(self) -> Page:
        return Page(50, self.chance.randrange(self.end), descending=True)

    def customer(self) -> UUID:
        return BIG if self.chance.random() < 0.5 else small(self.chance.randrange(90_000))

    def moment(self) -> datetime:
        return self.chance.choice(self.moments)

    def pages(self) -> Iterator[Question]:
        while True:
            yield partial(entries, customer_id=self.customer(), page=self.page(), asked=Asked())

    def bare_pages(self) -> Iterator[Question]:
        while True:
            yield partial(_bare_page, customer=self.customer(), page=self.page())

    def pages_of(self, customer: UUID) -> Iterator[Question]:
        while True:
            yield partial(entries, customer_id=customer, page=Page(50, None, descending=True), asked=Asked())

    def filtered(self) -> Iterator[Question]:
        while True:
            day = self.moment()
            for asked in (
                Asked(kinds=("note",)), Asked(channels=(str(CALLS),)), Asked(authors=("operator",)),
                Asked(kinds=("call", "assigned"), authors=("customer",)),
                Asked(since=day, until=day + timedelta(hours=9)),
                Asked(by="happened", since=day), Asked(by="happened", kinds=("note",), until=day),
                Asked(by="happened", kinds=("text",), until=day),
            ):  # fmt: skip
                page = self.page() if asked.by == "known" else Page(50, None, descending=True)
                yield partial(entries, customer_id=BIG, page=page, asked=asked)

    def as_of(self) -> Iterator[Question]:
        while True:
            for by in ("known", "happened"):
                asked = Asked(by=by, as_of=self.moment())
                newest = Page(50, None, descending=True)
                yield partial(entries, customer_id=TEN_THOUSAND, page=newest, asked=asked)
                yield partial(past.customer, customer_id=TEN_THOUSAND, at=self.moment(), by=by)

    def lists_as_of(self) -> Iterator[Question]:
        while True:
            for status in ("open", "snoozed", "closed", None):
                wanted = past.Listed(status, None, None, 50)
                yield partial(past.page, wanted=wanted, at=self.moment(), by="known")

    def happened_lists(self) -> Iterator[Question]:
        while True:
            wanted = past.Listed("open", None, None, 50)
            yield partial(past.page, wanted=wanted, at=self.moment(), by="happened")

    def lists(self) -> Iterator[Question]:
        while True:
            for status in ("open", "snoozed", "closed", None):
                yield partial(conversations.page, status=status, customer_id=None, before=self.page().after, limit=50)


def _bare_page(tx: Transaction, customer: UUID, page: Page) -> object:
    sql = "SELECT position, body FROM timeline WHERE customer_id = ? AND position < ? ORDER BY position DESC LIMIT ?"
    return [
        {**orjson.loads(body), "position": at} for at, body in tx.rows(sql, (str(customer), page.after, page.limit))
    ]


def _measure(name: str, database: Database) -> Iterator[Figure]:
    asker = Asker(database)
    asker.prepare()
    bare = _p99(asker.seconds(asker.bare_pages(), PAGES))
    limit = (bare, "p99 of the bare statement and JSON")
    pages = asker.seconds(asker.pages(), PAGES)
    yield Figure(f"timeline page at 1,000,000 messages, p99, {name}", _p99(pages), "ms", 30, False, *limit)
    filtered = asker.seconds(asker.filtered(), PAGES)
    yield Figure(f"filtered page among 100,000 entries, p99, {name}", _p99(filtered), "ms", 30, False, *limit)
    few, many = (_middle(asker.seconds(asker.pages_of(each), PAGES)) for each in (HUNDRED, BIG))
    named = f"page of 100,000 entries by one of 100, medians, {name}"
    yield Figure(named, many / few, "×", 1.3, False)
    past_ms = _p99(asker.seconds(asker.as_of(), PAGES))
    yield Figure(f"as of, customer of 10,000 events, p99, {name}", past_ms, "ms", 200, False, *limit)
    whole = asker.seconds(iter(lambda: partial(_one, at=asker.moment()), None), 20)
    yield Figure(f"as of, conversation of 10,000 events, p99, {name}", _p99(whole), "ms", 200, False)
    live = (_p99(asker.seconds(asker.lists(), LISTS)), "p99 of the list now")
    then = _p99(asker.seconds(asker.lists_as_of(), LISTS))
    yield Figure(f"list as of, 100,000 conversations, p99, {name}", then, "ms", 200, False, *live)
    happened = _p99(asker.seconds(asker.happened_lists(), LISTS))
    yield Figure(f"the same by what had happened, p99, {name}", happened, "ms", 500, False, *live)


def _one(tx: Transaction, at: datetime) -> object:
    return past.conversation(tx, conversation_of(TEN_THOUSAND), at, "known")


def _p99(seconds: list[float]) -> float:
    return seconds[min(len(seconds) - 1, len(seconds) * 99 // 100)] * 1000


def _middle(seconds: list[float]) -> float:
    return seconds[len(seconds) // 2] * 1000


@contextmanager
def _timed(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - began:.0f} s", flush=True)
