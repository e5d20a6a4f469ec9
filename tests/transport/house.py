"""Where a transport lives, so that a test can open it several times and in other processes too."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from shared.database.open import open_database
from shared.kafka_servers import KafkaServers
from shared.transport.protocol import Consumer, Outgoing, Record, Transport

ROOT = Path(__file__).parents[2]
SESSION_SECONDS = 6.0
"""The least a broker with its own defaults allows."""


@dataclass
class Child:
    """A process of tests/transport/child.py; tells lines on its standard output."""

    process: asyncio.subprocess.Process

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), 30)).decode().strip()

    async def kill(self) -> list[str]:
        """Kill it with -9 and return the lines it had told and nobody read."""
        if self.process.returncode is None:
            self.process.kill()
        rest, _ = await self.process.communicate()
        return rest.decode().split("\n")[:-1]


@dataclass
class House:
    """`address`: a database URL or kafka://host:port, `servers`: how Kafka lets us in, if it asks. Topic and group are
    the test's own."""

    address: str
    topic: str = field(default_factory=lambda: f"test.{uuid4().hex[:12]}")
    group: str = field(default_factory=lambda: f"group-{uuid4().hex[:12]}")
    servers: KafkaServers | None = None

    @asynccontextmanager
    async def transport(self, seconds: float = 30.0) -> AsyncIterator[Transport]:
        """A transport as a new process would open it."""
        if self.address.startswith("kafka://"):
            from shared.transport.kafka import KafkaTransport

            kafka = KafkaTransport(
                self.servers or KafkaServers(self.address.removeprefix("kafka://")),
                topics=[self.topic],
                session_seconds=SESSION_SECONDS,
                seconds=seconds,
            )
            await kafka.start()
            try:
                yield kafka
            finally:
                await kafka.close()
            return
        from shared.transport.embedded import EmbeddedTransport

        database = open_database(self.address)
        embedded = EmbeddedTransport(database)
        await embedded.start()
        try:
            yield embedded
        finally:
            await embedded.close()
            await database.close()

    @asynccontextmanager
    async def child(self, action: str) -> AsyncIterator[Child]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.transport.child", self.address, self.topic, self.group, action),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        child = Child(process)
        try:
            yield child
        finally:
            await child.kill()


class Known:
    """Positions that somebody else keeps."""

    def __init__(self, **last: int) -> None:
        self.last: dict[str, int] = dict(last)
        self.asked = 0

    async def load(self, sources: Sequence[str]) -> Mapping[str, int]:
        self.asked += 1
        return {source: self.last[source] for source in sources if source in self.last}

    def done(self, records: Sequence[Record]) -> None:
        for record in records:
            self.last[record.source] = max(record.offset, self.last.get(record.source, -1))


class Store(Known):
    """What a database would do: records and positions together, refused when another member was first."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[str] = []

    def add(self, records: Sequence[Record]) -> bool:
        if any(record.offset <= self.last.get(record.source, -1) for record in records):
            return False
        self.values += values(records)
        self.done(records)
        return True


def numbered(count: int, start: int = 0) -> list[Outgoing]:
    """Records with the numbers as their values and keys that fall into all partitions."""
    return [Outgoing(f"k{number}", str(number).encode(), {}) for number in range(start, start + count)]


def said(*values: str, key: str = "k") -> list[Outgoing]:
    return [Outgoing(key, value.encode(), {}) for value in values]


def values(records: Sequence[Record]) -> list[str]:
    return [record.value.decode() for record in records]


async def read(consumer: Consumer, count: int, seconds: float = 30.0, limit: int = 100) -> list[Record]:
    """Return at least `count` records, or what came within the time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    found: list[Record] = []
    while len(found) < count and loop.time() < deadline:
        found += await consumer.batch(limit, 0.5)
    return found


async def settle(transport: Transport, house: House, *members: Consumer) -> None:
    """Return when every member has its share; what was published for that is committed."""
    while True:
        await transport.publisher().publish_many(house.topic, numbered(40))
        shares = await asyncio.gather(*(read(member, 40, seconds=1) for member in members))
        await asyncio.gather(*(member.commit(share) for member, share in zip(members, shares, strict=True)))
        if all(shares) and sum(map(len, shares)) == 40:
            return
