"""What every transport must do."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

from shared.transport.limits import MAX_RECORD_BYTES, RecordTooLarge
from shared.transport.protocol import Outgoing, Transport
from tests.transport.house import House, Known, Store, numbered, read, said, settle, values


async def test_records_of_a_key_come_in_the_order_they_were_published(house: House) -> None:
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        publisher = transport.publisher()
        for start in range(0, 300, 100):
            numbers = range(start, start + 100)
            await publisher.publish_many(house.topic, [Outgoing(f"k{n % 7}", str(n).encode(), {}) for n in numbers])
        records = await read(consumer, 300)
    by_key: defaultdict[str, list[int]] = defaultdict(list)
    for record in records:
        by_key[record.key].append(int(record.value))
    assert by_key == {f"k{k}": [n for n in range(300) if n % 7 == k] for k in range(7)}


async def test_a_key_stays_in_one_source_whose_offsets_grow(house: House) -> None:
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        for number in range(20):
            await transport.publisher().publish(house.topic, Outgoing(f"k{number % 4}", b"x" * number, {}))
        records = await read(consumer, 20)
    sources: defaultdict[str, set[str]] = defaultdict(set)
    offsets: defaultdict[str, list[int]] = defaultdict(list)
    for record in records:
        sources[record.key].add(record.source)
        offsets[record.source].append(record.offset)
    assert [len(found) for found in sources.values()] == [1, 1, 1, 1]
    assert all(found == sorted(set(found)) for found in offsets.values())


async def test_what_was_committed_is_not_read_again_and_the_rest_is(house: House) -> None:
    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, said("a", "b", "c"))
        async with transport.consumer(house.topic, house.group) as consumer:
            records = await read(consumer, 3)
            await consumer.commit(records[:2])
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        assert values(await read(consumer, 1)) == ["c"]


async def test_a_reader_killed_before_its_commit_leaves_its_records_to_the_next(house: House) -> None:
    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, said("a", "b", "c"))
        async with house.child("read") as child:
            assert await child.line() == "3"
            await child.kill()
        async with transport.consumer(house.topic, house.group) as consumer:
            assert values(await read(consumer, 3)) == ["a", "b", "c"]


async def test_what_a_killed_publisher_had_confirmed_is_there(house: House) -> None:
    async with house.child("publish") as child:
        confirmed = [await child.line() for _ in range(50)]
        confirmed += await child.kill()
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        found = values(await read(consumer, len(confirmed)))
    assert sorted(set(found), key=int)[: len(confirmed)] == confirmed


async def test_two_members_share_the_records_and_lose_none(house: House) -> None:
    async with house.transport() as transport:
        one, two = transport.consumer(house.topic, house.group), transport.consumer(house.topic, house.group)
        async with one, two:
            await settle(transport, house, one, two)
            await transport.publisher().publish_many(house.topic, numbered(100))
            shares = await asyncio.gather(read(one, 100, seconds=2), read(two, 100, seconds=2))
    assert all(len(share) > 10 for share in shares)
    assert sorted(values(shares[0]) + values(shares[1]), key=int) == [str(n) for n in range(100)]


async def test_a_member_takes_over_what_another_left_undone(house: House) -> None:
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as stays:
        async with transport.consumer(house.topic, house.group) as leaves:
            await settle(transport, house, stays, leaves)
            await transport.publisher().publish_many(house.topic, numbered(50))
            mine, undone = await asyncio.gather(read(stays, 50, seconds=2), read(leaves, 50, seconds=2))
            await stays.commit(mine)
        taken_over = await read(stays, len(undone))
    assert len(mine) < 50
    assert sorted(values(mine) + values(taken_over), key=int) == [str(n) for n in range(50)]


async def test_members_that_come_and_go_store_every_record_once(house: House) -> None:
    store = Store()

    async def member(transport: Transport, batches: int) -> None:
        async with transport.consumer(house.topic, house.group, store) as consumer:
            for _ in range(batches):
                records = await consumer.batch(7, 1)
                await asyncio.sleep(0.01)
                if store.add(records):
                    await consumer.commit(records)
                else:
                    await consumer.rewind()

    async with house.transport() as transport:
        for start in range(0, 600, 200):
            await transport.publisher().publish_many(house.topic, numbered(200, start))
        await asyncio.gather(*(member(transport, batches) for batches in (5, 10, 15)))
        while len(store.values) < 600:
            await member(transport, 20)
    assert sorted(store.values, key=int) == [str(n) for n in range(600)]


async def test_given_positions_decide_and_not_what_was_committed(house: House) -> None:
    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, said("a", "b", "c"))
        known = Known()
        async with transport.consumer(house.topic, house.group, known) as consumer:
            records = await read(consumer, 3)
            await consumer.commit(records)
        known.done(records[:1])
        async with transport.consumer(house.topic, house.group, known) as consumer:
            assert values(await read(consumer, 2)) == ["b", "c"]
        async with transport.consumer(house.topic, house.group, Known()) as consumer:
            assert values(await read(consumer, 3)) == ["a", "b", "c"]


async def test_rewind_reads_again_what_is_not_committed(house: House) -> None:
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        await transport.publisher().publish_many(house.topic, said("a", "b", "c"))
        await consumer.commit((await read(consumer, 3))[:1])
        await consumer.rewind()
        assert values(await read(consumer, 2)) == ["b", "c"]


async def test_rewind_reads_again_what_the_given_positions_do_not_know(house: House) -> None:
    known = Known()
    async with house.transport() as transport, transport.consumer(house.topic, house.group, known) as consumer:
        await transport.publisher().publish_many(house.topic, said("a", "b", "c"))
        known.done((await read(consumer, 3))[:1])
        await consumer.rewind()
        assert values(await read(consumer, 2)) == ["b", "c"]


async def test_positions_that_cannot_be_loaded_are_asked_again_before_anything_is_read(house: House) -> None:
    class Broken(Known):
        async def load(self, sources: Sequence[str]) -> Mapping[str, int]:
            if broken:
                raise ConnectionError("no database")
            return await super().load(sources)

    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, said("a", "b"))
        known, broken = Broken(), False
        async with transport.consumer(house.topic, house.group, known) as consumer:
            records = await read(consumer, 2)
            await consumer.commit(records)
            await consumer.rewind()
            broken = True
            for _ in range(2):
                with pytest.raises(ConnectionError):
                    await consumer.batch(10, 1)
            broken = False
            assert values(await read(consumer, 2)) == ["a", "b"]


async def test_lag_counts_what_is_not_committed(house: House) -> None:
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        await transport.publisher().publish_many(house.topic, [Outgoing(f"k{n}", b"", {}) for n in range(10)])
        records = await read(consumer, 10)
        assert await consumer.lag() == 10
        await consumer.commit([record for record in records if record.key in ("k0", "k1")])
        assert 0 < await consumer.lag() <= 8
        await consumer.commit(records)
        assert await consumer.lag() == 0


async def test_a_waiting_reader_gets_a_record_at_once(house: House) -> None:
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        await consumer.batch(1, 3)
        waiting = asyncio.create_task(consumer.batch(1, 60))
        await asyncio.sleep(0.1)
        await transport.publisher().publish_many(house.topic, said("now"))
        assert values(await asyncio.wait_for(waiting, 30)) == ["now"]


async def test_an_empty_topic_gives_an_empty_batch_after_the_timeout(house: House) -> None:
    loop = asyncio.get_running_loop()
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        begun = loop.time()
        assert await consumer.batch(10, 0.5) == []
        assert loop.time() - begun >= 0.45


@pytest.mark.parametrize("key", ["", "почта:клиент@пример.рф 😀", "x" * 10_000, "a\x00b\n\r'\"%?"])
async def test_any_text_is_a_key_and_a_header(house: House, key: str) -> None:
    headers = {"ce_type": "okno.test", "пустой": "", "content-type": "application/json", "long": key * 3}
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        await transport.publisher().publish(house.topic, Outgoing(key, b"\x00\xff", headers))
        (record,) = await read(consumer, 1)
    assert (record.key, record.value, record.headers) == (key, b"\x00\xff", headers)


async def test_a_record_needs_neither_headers_nor_a_value(house: House) -> None:
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        await transport.publisher().publish(house.topic, Outgoing("k", b"", {}))
        (record,) = await read(consumer, 1)
    assert (record.value, record.headers) == (b"", {})


async def test_values_of_a_megabyte_pass_and_a_batch_of_them_ends_early(house: House) -> None:
    megabyte = bytes(range(256)) * 4096
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        records = [Outgoing(f"k{n % 3}", megabyte + str(n).encode(), {}) for n in range(24)]
        await transport.publisher().publish_many(house.topic, records)
        first = await read(consumer, 1)
        assert len(first) < 24
        rest = await read(consumer, 24 - len(first))
    assert {record.value for record in first + rest} == {record.value for record in records}


async def test_a_record_over_the_limit_is_refused_and_the_next_one_passes(house: House) -> None:
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        publisher = transport.publisher()
        with pytest.raises(RecordTooLarge):
            await publisher.publish(house.topic, Outgoing("k", bytes(MAX_RECORD_BYTES + 1), {}))
        await publisher.publish(house.topic, Outgoing("k", bytes(MAX_RECORD_BYTES - 1000), {}))
        assert [len(record.value) for record in await read(consumer, 1)] == [MAX_RECORD_BYTES - 1000]


async def test_text_that_is_no_unicode_fails_alone(house: House) -> None:
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        publisher = transport.publisher()
        wrong = publisher.publish(house.topic, Outgoing("\ud800", b"", {}))
        right = publisher.publish(house.topic, Outgoing("k", b"right", {}))
        outcomes = await asyncio.gather(wrong, right, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [UnicodeEncodeError, type(None)]
        assert values(await read(consumer, 1)) == ["right"]
