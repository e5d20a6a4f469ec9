"""Files fetched in the background: noted before their message is published, fetched once, told until somebody knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from services.ingest.directory import Directory
from services.ingest.fetch import GIVE_UP_AFTER, Fetcher
from services.ingest.fetch_queue import HELD, LEASE, FetchQueue
from services.ingest.health import HealthReports
from services.ingest.kept_settings import KeptSettings
from services.ingest.publish import ChannelInlet
from shared.blobs import Blobs
from shared.connector import Channel, FetchDelayed, FetchRefused
from shared.contracts import topics
from shared.contracts.files import FileFetched, FileUnavailable, fetch_id
from shared.contracts.inbound import Address, FileRef, InboundMessage, RemoteFile
from shared.database.protocol import Database
from shared.parsed import Parsed, ParsedFile, RawItem
from shared.transport.protocol import TransportUnavailable
from tests.examples import AT, Clock
from tests.services.fakes import MemoryTransport, add_channel, item, lines_kind, loader, open_tables, registry_of, until
from tests.services.projector.running import running

PHOTO = RemoteFile("f1", "photo.jpg", "image/jpeg", 5)


@pytest_asyncio.fixture
async def database(any_url: str) -> AsyncIterator[Database]:
    opened = open_tables(any_url)
    yield opened
    await opened.close()


@dataclass
class House:
    """An inlet whose messages name PHOTO, and a fetcher; `given` is what the provider answers, the last one again."""

    channel: Channel
    queue: FetchQueue
    inlet: ChannelInlet
    fetcher: Fetcher
    transport: MemoryTransport
    clock: Clock
    given: list[Any] = field(default_factory=lambda: [b"12345"])
    asked: list[str] = field(default_factory=list)

    async def fetch(self, channel: Channel, file: RemoteFile) -> ParsedFile:
        self.asked.append(file.ref)
        given = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        if isinstance(given, Exception):
            raise given
        return ParsedFile("", "image/jpeg", given)

    def results(self) -> list[Any]:
        return [c for c in self.transport.contracts(topics.INBOUND) if not isinstance(c, InboundMessage)]


@pytest_asyncio.fixture
async def house(database: Database, tmp_path: Path) -> House:
    channel, transport, clock = await add_channel(database), MemoryTransport(), Clock()
    queue, blobs = FetchQueue(database, clock), Blobs(tmp_path / "blobs")
    kind = lines_kind()
    directory = Directory(registry_of(database))
    await directory.load()
    fetcher = Fetcher(queue, directory, loader(kind), blobs, transport)  # type: ignore[arg-type]
    health: Any = HealthReports(database)
    kept = KeptSettings(registry_of(database))
    inlet = ChannelInlet(channel, photo, None, transport, blobs, health, kept, queue)  # type: ignore[arg-type]
    made = House(channel, queue, inlet, fetcher, transport, clock)
    kind.modules["fetch"] = SimpleNamespace(fetch=made.fetch)
    return made


def photo(raw: RawItem, channel: Channel) -> Parsed:
    sender = Address("lines", "anna")
    return Parsed(raw.key, sender, AT, remote_files=(PHOTO, PHOTO, replace(PHOTO, ref="f2")))


async def test_a_file_is_fetched_after_its_message_is_published_and_told_once(house: House) -> None:
    inbound_id = await house.inlet.accept(item("look"))
    async with running(house.fetcher.run(alone=True)):
        await until(lambda: len(house.results()) == 2)
        await house.inlet.accept(item("look"))
        await until(lambda: len(house.results()) == 4)  # published again, so told again
    first, *_ = sorted(house.results(), key=lambda result: result.ref)
    kept = FileRef("5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5", 5, "photo.jpg", "image/jpeg")
    assert first == FileFetched(fetch_id(inbound_id, "f1"), inbound_id, house.channel.id, "f1", kept, first.at)
    assert sorted(house.asked) == ["f1", "f2"]
    keys = {record.key for record in house.transport.records[topics.INBOUND]}
    assert keys == {"lines:anna"}


async def test_a_message_without_files_is_not_noted(house: House, database: Database) -> None:
    house.inlet._parse = lambda raw, channel: Parsed(raw.key, Address("lines", "anna"), AT)
    await house.inlet.accept(item("hello"))
    assert await database.read(lambda tx: tx.rows("SELECT * FROM fetches")) == []


async def test_what_a_crash_left_held_goes_free_by_itself(house: House) -> None:
    house.transport.down = True
    with pytest.raises(TransportUnavailable):
        await house.inlet.accept(item("look"))
    assert await house.queue.channels() == set()
    house.transport.down = False
    house.clock.forward(HELD.total_seconds())
    async with running(house.fetcher.run(alone=False)):
        await until(lambda: len(house.results()) == 2)


async def test_a_refusal_is_told_with_its_reason(house: House) -> None:
    house.given = [FetchRefused("larger than 20 MB")]
    inbound_id = await house.inlet.accept(item("look"))
    async with running(house.fetcher.run(alone=True)):
        await until(lambda: len(house.results()) == 2)
    (first,) = [result for result in house.results() if result.ref == "f1"]
    id_ = fetch_id(inbound_id, "f1")
    assert first == FileUnavailable(id_, inbound_id, house.channel.id, "f1", "larger than 20 MB", first.at)


@pytest.mark.parametrize("trouble", [FetchDelayed("busy", 0.0), KeyError("bug")])
async def test_a_file_that_cannot_be_had_now_is_fetched_again(house: House, trouble: Exception) -> None:
    house.given = [trouble, trouble, b"12345"]
    await house.inlet.accept(item("look"))
    async with running(house.fetcher.run(alone=True)):
        await until(lambda: len(house.asked) >= 2)
        house.clock.forward(60)
        await until(lambda: house.fetcher._wake.set() or len(house.results()) == 2)
    assert {type(result) for result in house.results()} == {FileFetched}


async def test_after_a_day_it_is_given_up(house: House) -> None:
    house.given = [FetchDelayed("busy")]
    await house.inlet.accept(item("look"))
    await house.queue.claim({house.channel.id: 5})
    (fetch, _) = await claimed_after(house, LEASE)
    late = replace(fetch, first_try_at=fetch.first_try_at - GIVE_UP_AFTER - timedelta(days=1))
    result = await house.fetcher._outcome(late, await house.fetcher._found(late))
    assert isinstance(result, FileUnavailable)
    assert result.reason == "given up after 2 tries: busy"


async def claimed_after(house: House, pause: timedelta) -> list[Any]:
    assert await house.queue.claim({house.channel.id: 5}) == []
    house.clock.forward(pause.total_seconds())
    return await house.queue.claim({house.channel.id: 5})


async def test_what_a_dead_process_was_fetching_is_fetched_by_another(house: House) -> None:
    await house.inlet.accept(item("look"))
    assert len(await house.queue.claim({house.channel.id: 1})) == 1
    assert len(await house.queue.claim({house.channel.id: 5})) == 1
    await house.queue.recover()
    assert {fetch.tries for fetch in await house.queue.claim({house.channel.id: 5})} == {2}


async def test_a_slow_channel_fills_its_own_places_only(house: House, database: Database) -> None:
    gate = asyncio.Event()

    async def slow(channel: Channel, file: RemoteFile) -> ParsedFile:
        house.asked.append(file.ref)
        await gate.wait()
        return ParsedFile("", "image/jpeg", b"1")

    house.fetcher._load("lines").modules["fetch"].fetch = slow  # type: ignore[attr-defined]
    for number in range(4):
        await house.inlet.accept(item("look", str(number)))
    async with running(house.fetcher.run(alone=True)):
        await until(lambda: len(house.asked) == 3)
        await asyncio.sleep(0.1)
        assert len(house.asked) == 3
        gate.set()
        await until(lambda: len(house.results()) == 8)
