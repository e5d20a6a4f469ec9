"""What only the embedded log does: commits together, full disks, retention, PostgreSQL in principle."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar, cast

import pytest

from shared.clock import now
from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.database.sqlite import SqliteDatabase
from shared.transport import embedded_publisher
from shared.transport.embedded import EmbeddedTransport
from shared.transport.embedded_log import trim
from shared.transport.protocol import TransportUnavailable
from tests.transport.house import House, Known, numbered, read, said, values

T = TypeVar("T")
LATER = now() + timedelta(hours=25)
MUCH_LATER = now() + timedelta(days=31)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'okno.db'}")
    yield database
    await database.close()


@pytest.fixture
async def transport(database: Database) -> EmbeddedTransport:
    transport = EmbeddedTransport(database)
    await transport.start()
    return transport


class Counting(SqliteDatabase):
    """Counts the write jobs."""

    writes = 0

    async def write(self, job: Callable[[Transaction], T], *, brief: bool = False, prompt: bool = False) -> T:
        self.writes += 1
        return await super().write(job, brief=brief)


async def test_concurrent_publishers_share_a_commit(tmp_path: Path) -> None:
    database = Counting(tmp_path / "okno.db")
    transport = EmbeddedTransport(database)
    await transport.start()
    before = database.writes
    await asyncio.gather(*(transport.publisher().publish("t", record) for record in numbered(1000)))
    assert database.writes - before == 1
    async with transport.consumer("t", "g") as consumer:
        assert values(await read(consumer, 1000, limit=1000)) == [str(n) for n in range(1000)]
    await database.close()


class Holding(SqliteDatabase):
    """Keeps write jobs back until `turn`, once it is told to."""

    begun: asyncio.Event | None = None
    writes = 0

    async def write(self, job: Callable[[Transaction], T], *, brief: bool = False, prompt: bool = False) -> T:
        if self.begun is not None:
            self.writes += 1
            self.begun.set()
            await self.turn.wait()
        return await super().write(job, brief=brief)

    def hold(self) -> None:
        self.begun, self.turn = asyncio.Event(), asyncio.Event()


async def test_what_is_published_before_a_commit_has_its_turn_goes_with_it(tmp_path: Path) -> None:
    database = Holding(tmp_path / "okno.db")
    transport = EmbeddedTransport(database)
    await transport.start()
    database.hold()
    first, *later = numbered(5)
    publishing = [asyncio.create_task(transport.publisher().publish("t", first))]
    assert database.begun is not None
    await database.begun.wait()
    publishing += [asyncio.create_task(transport.publisher().publish("t", each)) for each in later]
    await asyncio.sleep(0)
    database.turn.set()
    await asyncio.gather(*publishing)
    assert database.writes == 1
    await database.close()


async def test_a_commit_that_was_given_up_takes_nobody_with_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_publisher, "COMMIT_SECONDS", 0.05)
    late: list[Callable[[Transaction], None]] = []

    class Lost(SqliteDatabase):
        async def write(self, job: Callable[[Transaction], T], *, brief: bool = False, prompt: bool = False) -> T:
            if prompt and not late:
                late.append(cast("Callable[[Transaction], None]", job))
                await asyncio.Event().wait()
            return await super().write(job, brief=brief)

    database = Lost(tmp_path / "okno.db")
    transport = EmbeddedTransport(database)
    await transport.start()
    with pytest.raises(TransportUnavailable):
        await transport.publisher().publish("t", said("refused")[0])
    publishing = asyncio.create_task(transport.publisher().publish("t", said("kept")[0]))
    await asyncio.sleep(0)
    await database.write(late[0])
    async with asyncio.timeout(20):
        await publishing
    async with transport.consumer("t", "g") as consumer:
        assert values(await read(consumer, 1)) == ["kept"]
    await database.close()


async def test_a_full_disk_confirms_nothing_and_is_over_when_there_is_room(
    database: Database, transport: EmbeddedTransport
) -> None:
    pages = await database.write(lambda tx: tx.rows("PRAGMA page_count")[0][0])
    await database.write(lambda tx: tx.rows(f"PRAGMA max_page_count = {pages + 4}"))
    with pytest.raises(TransportUnavailable, match="full"):
        await transport.publisher().publish_many("t", said("small", "x" * 200_000))
    await database.write(lambda tx: tx.rows("PRAGMA max_page_count = 100000"))
    await transport.publisher().publish_many("t", said("after"))
    async with transport.consumer("t", "g") as consumer:
        assert values(await read(consumer, 1)) == ["after"]


async def test_trim_deletes_what_every_group_has_passed_once_it_is_old(
    database: Database, transport: EmbeddedTransport
) -> None:
    await transport.publisher().publish_many("t", said("a", "b", "c"))
    async with transport.consumer("t", "fast") as fast, transport.consumer("t", "slow") as slow:
        await fast.commit(await read(fast, 3))
        await slow.commit((await read(slow, 3))[:2])
        assert await trim(database, now()) == 0
        assert await trim(database, LATER) == 2
        await slow.rewind()
        assert values(await read(slow, 1)) == ["c"]


async def test_trim_keeps_what_a_group_with_positions_elsewhere_has_not_reported(
    database: Database, transport: EmbeddedTransport
) -> None:
    await transport.publisher().publish_many("t", said("a", "b"))
    async with transport.consumer("t", "g", Known()) as consumer:
        records = await read(consumer, 2)
        assert await trim(database, MUCH_LATER) == 0
        await consumer.commit(records)
        assert await trim(database, LATER) == 2


async def test_reports_of_positions_elsewhere_are_few_and_the_last_comes_when_leaving(
    database: Database, transport: EmbeddedTransport
) -> None:
    await transport.publisher().publish_many("t", said("a", "b"))
    async with transport.consumer("t", "g", Known()) as consumer:
        for record in await read(consumer, 2):
            await consumer.commit([record])
        assert await trim(database, LATER) == 1
    assert await trim(database, LATER) == 1


async def test_a_topic_nobody_reads_is_trimmed_by_age_alone(database: Database, transport: EmbeddedTransport) -> None:
    await transport.publisher().publish_many("t", numbered(1200))
    assert await trim(database, LATER) == 0
    assert await trim(database, MUCH_LATER) == 1200


async def test_offsets_are_not_used_again_after_a_trim(database: Database, transport: EmbeddedTransport) -> None:
    async with transport.consumer("t", "g") as consumer:
        await transport.publisher().publish_many("t", said("a"))
        (before,) = await read(consumer, 1)
        await consumer.commit([before])
        await trim(database, LATER)
        await transport.publisher().publish_many("t", said("b"))
        (after,) = await read(consumer, 1)
    assert after.offset > before.offset


async def test_a_member_keeps_its_partition_until_it_asks_for_the_next_batch(transport: EmbeddedTransport) -> None:
    await transport.publisher().publish_many("t", numbered(40))
    async with transport.consumer("t", "g") as first:
        in_hand = await read(first, 40)
        async with transport.consumer("t", "g") as second:
            assert await second.batch(100, 0.2) == []
            await first.commit(in_hand)
            await first.batch(1, 0)
            assert await second.batch(100, 0.2) == []
            await transport.publisher().publish_many("t", numbered(40))
            assert 0 < len(await read(second, 40, seconds=1)) < 40


@pytest.mark.cluster
async def test_the_log_works_in_postgresql_too(database_url: str) -> None:
    house = House(database_url)
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        await asyncio.gather(*(transport.publisher().publish(house.topic, record) for record in numbered(200)))
        records = await read(consumer, 200)
        await consumer.commit(records)
        assert sorted(values(records), key=int) == [str(n) for n in range(200)]
        assert await consumer.lag() == 0
        waiting = asyncio.create_task(consumer.batch(1, 60))
        await asyncio.sleep(0.2)
        await transport.publisher().publish_many(house.topic, said("now"))
        assert values(await asyncio.wait_for(waiting, 30)) == ["now"]
    database = open_database(database_url)
    assert await trim(database, LATER) == 200
    await database.close()


def test_embedded_mode_loads_neither_aiokafka_nor_faststream() -> None:
    script = (
        "import sys; import shared.transport.open, shared.transport.embedded;"
        "print({'aiokafka', 'faststream'} & set(sys.modules))"
    )
    done = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
