"""A large business in log and tables: 100,000 conversations, 1,000,000 messages, a tenth of them one client's.

Recorded in batches past the rules, and indexed last, as a rebuild does it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from eventsourcing.persistence import StoredEvent

from services.house import SCHEMAS
from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.domain import events as e
from shared.event_store.log import head
from shared.event_store.mapper import About, Happening, to_state
from shared.event_store.recorders import recorder_for
from shared.event_store.store import EventStore
from shared.read_models import live

MAIL, CALLS = UUID(int=0xA1), UUID(int=0xA2)
ROOT = UUID(int=0xBB)
BIG, HUNDRED, TEN_THOUSAND = (uuid5(ROOT, name) for name in ("big", "hundred", "ten thousand"))
CLIENTS, ROUNDS = 99_997, 9
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=20)
OPERATORS = [e.Actor("operator", str(UUID(int=n + 1)), f"Operator {n}") for n in range(30)]
BATCH = 5000
MODELS = ("timeline", "conversations", "customers", "groups", "cards", "clocks", "causes")
RAW = e.Raw("ab" * 32, 400, "message/rfc822")
TEXT = "Здравствуйте! Когда приедет заказ, и сколько стоит доставка? Спасибо."
_PRIME, _MASK = 0x9E3779B97F4A7C15F39CC0605CEDC835, (1 << 128) - 1
"""Ids that lie anywhere, made faster than by a hash."""
Happened = tuple[UUID, e.Event, e.Actor]


def small(number: int) -> UUID:
    """Return the customer of one of the many."""
    return UUID(int=(number + 1) * _PRIME & _MASK)


def conversation_of(customer: UUID) -> UUID:
    """Return a customer's only conversation."""
    return UUID(int=customer.int ^ 1)


def fill(database: Database) -> None:
    """Fill an empty database: log, tables, then their indexes."""
    _create(database)
    recorder = Recorder()
    batch: list[Happened] = []
    for happened in _everything():
        batch.append(happened)
        if len(batch) == BATCH:
            recorder.record(database, batch)
            batch.clear()
    recorder.record(database, batch)
    _finish(database)


def copy(source: Path, database: Database) -> None:
    """Fill an empty database with what stands in that SQLite file."""
    _create(database)
    connection = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
    tables = ["stored_events", *(table for name in MODELS for table in live.models()[name].tables)]
    for table in tables:
        position = "rowid AS notification_id, " if table == "stored_events" else ""
        cursor = connection.execute(f"SELECT {position}* FROM {table}")
        names = [name.replace("rowid", "notification_id") for name, *_ in cursor.description]
        kept = sorted({name: at for at, name in enumerate(names)}.items(), key=lambda each: each[1])
        while rows := cursor.fetchmany(BATCH):
            some = [tuple(_as_kept(name, row[at]) for name, at in kept) for row in rows]
            with database.writing() as tx:
                tx.insert_many(table, [name for name, _ in kept], some)
    connection.close()
    _finish(database)


def _as_kept(column: str, value: Any) -> Any:
    return UUID(value) if column == "originator_id" else value


def _create(database: Database) -> None:
    create_tables(database, SCHEMAS)
    EventStore(database).create_tables()
    with database.writing() as tx:
        tx.script(live.SCHEMA)
        for name in MODELS:
            tx.script(live.models()[name].schema(""))


def _finish(database: Database) -> None:
    models = [live.models()[name] for name in MODELS]
    with database.writing() as tx:
        for model in models:
            tx.script(model.indexes(""))
            row = (model.name, model.version, head(tx))
            tx.run("INSERT INTO read_model_positions VALUES (?, ?, 0, ?)", row)
    live.create_tables(database)
    _analyze(database)


class Recorder:
    """Knows how long each stream is."""

    def __init__(self) -> None:
        self._versions: dict[UUID, int] = {}
        self._position = 0

    def record(self, database: Database, batch: Sequence[Happened]) -> None:
        recorded = [self._recorded(*happened) for happened in batch]
        with database.writing() as tx:
            recorder_for(tx).insert([_stored(each) for each in recorded], [])
            for name in MODELS:
                live.models()[name].apply(tx, recorded, "")
        if tx.dialect == "sqlite":  # what Okno does between its commits; else the write-ahead log grows to gigabytes
            tx.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _recorded(self, stream: UUID, event: e.Event, actor: e.Actor) -> e.Recorded:
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        self._position += 1
        at = START + self._position * STEP
        late = timedelta(hours=1) if self._position % 500 == 0 else timedelta(milliseconds=200)
        cause = event.message_id if isinstance(event, e.MessageReceived) else None
        return e.Recorded(self._position, stream, version, at, at - late, cause, actor, event)


def _stored(recorded: e.Recorded) -> StoredEvent:
    about = About(recorded.occurred_at, recorded.actor, recorded.cause)
    state = to_state(Happening(recorded.event, about), recorded.recorded_at)
    return StoredEvent(recorded.stream_id, recorded.version, type(recorded.event).__name__, state)


def _everything() -> Iterator[Happened]:
    """Everybody writes in turn, so that what belongs together lies far apart."""
    for customer in (BIG, HUNDRED, TEN_THOUSAND):
        yield from _begin(customer)
    for round_ in range(ROUNDS):
        for number in range(CLIENTS):
            customer = small(number)
            if round_ == 0:
                yield from _begin(customer)
            yield _message(customer, round_)
            if number % 9 == 0:
                yield from _big(round_ * CLIENTS + number)
            if number % 90 == 0:
                yield _message(TEN_THOUSAND, round_ * CLIENTS + number)
            if number % 9000 == 0:
                yield _message(HUNDRED, round_ * CLIENTS + number)
            conversation = conversation_of(customer)
            if round_ == 4 and number % 10:
                yield conversation, e.ConversationClosed(conversation, customer), OPERATORS[number % 30]
            if round_ == 6 and number % 5000 == 0:
                snoozed = e.ConversationSnoozed(conversation, customer, START + timedelta(days=999))
                yield conversation, snoozed, OPERATORS[number % 30]


def _big(number: int) -> Iterator[Happened]:
    """The large client: now and then a note, a call, an assignment."""
    yield _message(BIG, number)
    conversation = conversation_of(BIG)
    if number % 18_000 == 0:
        yield conversation, e.NoteAdded(conversation, BIG, uuid5(BIG, f"note {number}"), "note"), OPERATORS[number % 30]
    if number % 27_000 == 0:
        yield _message(BIG, -number, CALLS)


def _begin(customer: UUID) -> Iterator[Happened]:
    conversation, system = conversation_of(customer), e.Actor("system")
    address = e.Address("email", f"{customer.hex}@example.com", "Клиент")
    yield customer, e.CustomerRegistered(customer, "Клиент", address), system
    yield conversation, e.ConversationOpened(conversation, customer, MAIL, "email", "Вопрос", "the first"), system


def _message(customer: UUID, number: int, channel: UUID = MAIL) -> Happened:
    conversation, message = conversation_of(customer), UUID(int=customer.int ^ (number + 2) * _PRIME & _MASK)
    sender = e.Address("email", f"{customer.hex}@example.com", "Клиент")
    call = e.Call("finished", "inbound", "1", "2") if channel == CALLS else None
    event = e.MessageReceived(
        conversation, customer, message, channel, "email", f"<{message}@x>", "call" if call else "text", "inbound",
        sender, RAW, "the same thread", "Вопрос", TEXT, call=call,
    )  # fmt: skip
    return conversation, event, e.Actor("customer", sender.address, "Клиент")


def _analyze(database: Database) -> None:
    """What PostgreSQL does by itself a minute later; SQLite never does."""
    if database.dialect == "postgres":
        with database.writing() as tx:
            tx.script("ANALYZE")
