"""What travels is sealed, and what was sealed with a destroyed key is passed over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from shared.contracts import topics
from shared.database.open import open_database
from shared.keys.wire import WireKeys
from shared.transport.embedded import EmbeddedTransport
from shared.transport.protocol import Outgoing, Record
from shared.transport.sealed import KEY, SealedTransport

SECRET, TOPIC = b"s" * 32, topics.INBOUND
RECORD = Outgoing("email:anna@example.com", "Привет".encode(), {"ce_id": "1", "content-type": "application/json"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@asynccontextmanager
async def sealed(folder: Path) -> AsyncIterator[tuple[EmbeddedTransport, SealedTransport]]:
    database, keys = open_database(f"sqlite:///{folder / 'okno.db'}"), open_database(f"sqlite:///{folder / 'keys.db'}")
    wire = WireKeys(keys, SECRET)
    wire.create_tables()
    inner = EmbeddedTransport(database)
    transport = SealedTransport(inner, wire)
    await transport.start()
    try:
        yield inner, transport
    finally:
        await transport.close()
        await database.close()
        await keys.close()


@pytest_asyncio.fixture
async def both(folder: Path) -> AsyncIterator[tuple[EmbeddedTransport, SealedTransport]]:
    async with sealed(folder) as made:
        yield made


async def read(transport: EmbeddedTransport | SealedTransport, group: str, count: int = 1) -> list[Record]:
    found: list[Record] = []
    async with transport.consumer(TOPIC, group) as consumer:
        while len(found) < count and (records := await consumer.batch(10, 0.3)):
            found += records
            await consumer.commit(records)
    return found


async def test_nothing_of_a_record_can_be_read_on_the_way_and_all_of_it_at_its_end(
    both: tuple[EmbeddedTransport, SealedTransport],
) -> None:
    inner, transport = both
    await transport.publisher().publish(TOPIC, RECORD)
    (way,), (end,) = await read(inner, "spy"), await read(transport, "reader")
    assert ("anna" in way.key, RECORD.value in way.value, KEY in way.headers) == (False, False, True)
    assert (end.value, end.headers) == (RECORD.value, dict(RECORD.headers))


async def test_records_of_one_key_keep_their_order(both: tuple[EmbeddedTransport, SealedTransport]) -> None:
    _, transport = both
    records = [Outgoing(f"k{number % 3}", str(number).encode(), {}) for number in range(30)]
    await transport.publisher().publish_many(TOPIC, records)
    found = await read(transport, "reader", 30)
    by_key: dict[str, list[int]] = {}
    for record in found:
        by_key.setdefault(record.key, []).append(int(record.value))
    assert (len(found), all(numbers == sorted(numbers) for numbers in by_key.values()), len(by_key)) == (30, True, 3)


async def test_what_was_sealed_with_a_destroyed_key_is_passed_over_and_the_next_goes_on(
    both: tuple[EmbeddedTransport, SealedTransport],
) -> None:
    _, transport = both
    await transport.publisher().publish(TOPIC, RECORD)
    older = await transport.keys.rotate()
    await transport.publisher().publish(TOPIC, Outgoing("k", b"next", {}))
    assert await transport.keys.destroy(older) == 1
    assert [record.value for record in await read(transport, "reader")] == [b"next"]


async def test_a_foreign_record_and_one_that_was_changed_come_as_they_are(
    both: tuple[EmbeddedTransport, SealedTransport],
) -> None:
    inner, transport = both
    id_, _ = await transport.keys.present()
    await inner.publisher().publish(TOPIC, Outgoing("k", b"foreign", {}))
    await inner.publisher().publish(TOPIC, Outgoing("k", b"changed on the way", {KEY: id_}))
    assert [record.value for record in await read(transport, "reader", 2)] == [b"foreign", b"changed on the way"]


async def test_events_for_other_systems_are_not_sealed(both: tuple[EmbeddedTransport, SealedTransport]) -> None:
    inner, transport = both
    await transport.publisher().publish(topics.EVENTS, RECORD)
    async with inner.consumer(topics.EVENTS, "partner") as consumer:
        assert [record.value for record in await consumer.batch(1, 1.0)] == [RECORD.value]
