"""What the tests of the services stand on: a transport in memory, a channel kind made of functions, a channel's row."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

from services.ingest.fetch_queue import SCHEMA as FETCHES
from services.outbound.ledger import SCHEMA
from shared.capabilities import Capabilities
from shared.clock import now, to_text
from shared.connector import Channel
from shared.contracts.codec import decode
from shared.contracts.inbound import Address
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.kafka_servers import KafkaServers
from shared.parsed import Parsed, RawItem, UnreadableItem
from shared.registry import channels, cursors, health, typing
from shared.registry.channels import ChannelRegistry
from shared.registry.secrets import SecretBox
from shared.settings import Settings
from shared.transport.protocol import Outgoing, Record, TransportUnavailable

KEY = b"k" * 32
AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class MemoryTransport:
    """Keeps records in lists. `down`: nothing is confirmed and nothing is read."""

    def __init__(self) -> None:
        self.records: defaultdict[str, list[Record]] = defaultdict(list)
        self.committed: defaultdict[str, int] = defaultdict(int)
        self.down = False
        self._news = asyncio.Condition()

    def publisher(self) -> MemoryTransport:
        return self

    def consumer(self, topic: str, group: str, positions: object = None) -> MemoryConsumer:
        return MemoryConsumer(self, topic)

    async def publish(self, topic: str, record: Outgoing) -> None:
        await self.publish_many(topic, [record])

    async def publish_many(self, topic: str, records: list[Outgoing]) -> None:
        if self.down:
            raise TransportUnavailable("down")
        async with self._news:
            for each in records:
                offset = len(self.records[topic])
                self.records[topic].append(Record(topic, offset, each.key, each.value, dict(each.headers)))
            self._news.notify_all()

    def contracts(self, topic: str) -> list[object]:
        return [decode(record.value, record.headers) for record in self.records[topic]]


class MemoryConsumer:
    def __init__(self, transport: MemoryTransport, topic: str) -> None:
        self._transport, self._topic = transport, topic

    async def __aenter__(self) -> MemoryConsumer:
        self._next = self._transport.committed[self._topic]
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def batch(self, limit: int, timeout_seconds: float) -> list[Record]:
        log = self._transport.records[self._topic]
        async with self._transport._news:
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._transport._news.wait_for(lambda: len(log) > self._next)
            except TimeoutError:
                return []
        records = log[self._next : self._next + limit]
        self._next += len(records)
        return records

    async def commit(self, records: list[Record]) -> None:
        if self._transport.down:
            raise TransportUnavailable("down")
        self._transport.committed[self._topic] = records[-1].offset + 1


@dataclass
class FakeKind:
    """A channel kind; `modules` are its parts."""

    name: str
    capabilities: Capabilities
    modules: dict[str, object] = field(default_factory=dict)

    def module(self, part: str) -> object:
        return self.modules[part]

    @property
    def parse(self) -> object:
        return self.modules["parse"].parse


def lines_kind(name: str = "lines", **capabilities: object) -> FakeKind:
    """A kind whose items are `sender|text`."""
    settings = {"receives_by": "webhook", "sends": True} | capabilities
    return FakeKind(name, Capabilities(**settings), {"parse": SimpleNamespace(parse=parse_line)})


def parse_line(item: RawItem, channel: Channel) -> Parsed:
    if item.data == b"bug":
        raise KeyError("no such thing")
    sender, bar, text = item.data.decode().partition("|")
    if not bar:
        raise UnreadableItem("no bar in it")
    return Parsed(external_id=item.key, sender=Address("email", sender), occurred_at=AT, text=text)


def loader(*kinds: FakeKind) -> object:
    """Stands in for `connector.load`."""

    def load(name: str) -> FakeKind:
        for kind in kinds:
            if kind.name == name:
                return kind
        raise LookupError(f"no channel kind {name!r}")

    return load


def item(text: str, key: str = "1") -> RawItem:
    return RawItem(text.encode(), "text/plain", AT, key)


def open_tables(url: str) -> Database:
    database = open_database(url)
    create_tables(database, [channels.SCHEMA, cursors.SCHEMA, health.SCHEMA, typing.SCHEMA, SCHEMA, FETCHES])
    return database


def sqlite(folder: Path) -> Database:
    return open_tables(f"sqlite:///{folder / 'okno.db'}")


def registry_of(database: Database) -> ChannelRegistry:
    return ChannelRegistry(database, KEY)


def settings_of(folder: Path, kafka: str = "") -> Settings:
    return Settings(folder, "", KafkaServers(kafka) if kafka else None, str(folder / "blobs"), KEY, "")


async def add_channel(database: Database, kind: str = "lines", name: str = "", **settings: str) -> Channel:
    channel = Channel(uuid4(), kind, name or f"{kind} {uuid4().hex[:6]}", settings)
    sealed = SecretBox(KEY).seal({})
    row = (str(channel.id), kind, channel.name, json.dumps(settings), sealed, "active", to_text(now()))

    def insert(tx: object) -> None:
        tx.run("INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        tx.notify(channels.TOPIC)

    await database.write(insert)
    return channel


async def problem_of(database: Database, channel_id: UUID) -> str | None:
    found = (await database.read(health.health_of_channels)).get(str(channel_id))
    return found.problem if found else None


async def until(condition: object, seconds: float = 60.0) -> None:
    """Wait until a function, plain or async, returns something true."""
    async with asyncio.timeout(seconds):
        while True:
            result = condition()
            if await result if asyncio.iscoroutine(result) else result:
                return
            await asyncio.sleep(0.005)
