"""What only Kafka does: brokers that die or say nothing, topics made again, records of others."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.contracts.topics import ALL
from shared.kafka_servers import KafkaServers
from shared.transport.asyncapi import TOPICS, asyncapi
from shared.transport.kafka import KafkaTransport
from shared.transport.kafka_consumer import KafkaConsumer
from shared.transport.kafka_topics import create_topics, topic_id
from shared.transport.protocol import TransportUnavailable
from tests.peers.kafka import KafkaServer
from tests.services.fakes import until
from tests.transport.house import House, Known, numbered, read, said, values

pytestmark = pytest.mark.cluster


def house_of(server: KafkaServer) -> House:
    return House(f"kafka://{server.bootstrap}")


async def test_publisher_and_reader_go_on_after_the_broker_was_restarted(own_kafka: KafkaServer) -> None:
    house = house_of(own_kafka)
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        await transport.publisher().publish_many(house.topic, said("before"))
        await consumer.commit(await read(consumer, 1))
        await asyncio.to_thread(own_kafka.restart)
        await transport.publisher().publish_many(house.topic, said("after"))
        assert values(await read(consumer, 1)) == ["after"]


async def test_a_member_asks_seldom_for_a_broker_that_is_away(
    own_kafka: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    house = house_of(own_kafka)
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        await transport.publisher().publish_many(house.topic, said("before"))
        await read(consumer, 1)
        await asyncio.to_thread(own_kafka.kill)
        await asyncio.sleep(1)
        caplog.clear()
        await asyncio.sleep(3)
        tries = sum("Unable connect to node" in record.getMessage() for record in caplog.records)
    assert 0 < tries < 60  # of itself aiokafka tries 35 times a second: with three members 4 % of a processor


async def test_what_was_confirmed_survives_the_kill_of_the_broker(own_kafka: KafkaServer) -> None:
    house = house_of(own_kafka)
    confirmed: list[str] = []
    async with house.transport(seconds=3) as transport:

        async def publish() -> None:
            for record in numbered(100_000):
                await transport.publisher().publish(house.topic, record)
                confirmed.append(record.value.decode())

        publishing = asyncio.create_task(publish())
        await until(lambda: len(confirmed) > 100, 30)
        await asyncio.to_thread(own_kafka.kill)
        with pytest.raises(TransportUnavailable):
            await publishing
        await asyncio.to_thread(own_kafka.start)
        async with transport.consumer(house.topic, house.group) as consumer:
            found = values(await read(consumer, len(confirmed)))
    assert confirmed
    assert set(confirmed) <= set(found)


async def test_a_broker_that_says_nothing_confirms_nothing_and_publishing_goes_on_after_it(
    own_kafka: KafkaServer,
) -> None:
    house = house_of(own_kafka)
    async with house.transport(seconds=2) as transport:
        publisher = transport.publisher()
        await publisher.publish_many(house.topic, said("before"))
        own_kafka.pause()
        outcomes = await asyncio.gather(
            *(publisher.publish_many(house.topic, said(str(n))) for n in range(3)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [TransportUnavailable] * 3
        with pytest.raises(TransportUnavailable):
            await publisher.publish_many(house.topic, said("still"))
        own_kafka.resume()
        await publisher.publish_many(house.topic, said("after"))


async def test_members_that_have_left_are_not_kept_in_memory(kafka: KafkaServer) -> None:
    house = house_of(kafka)
    left = []
    gc.disable()  # a projector collects so seldom that each second's new member would add what it fetched ahead
    try:
        async with house.transport() as transport:
            await transport.publisher().publish_many(house.topic, numbered(10))
            for _ in range(6):
                async with transport.consumer(house.topic, house.group) as consumer:
                    assert isinstance(consumer, KafkaConsumer)
                    assert await read(consumer, 1)
                    left.append(weakref.ref(consumer._consumer._client))
            kept = sum(each() is not None for each in left)
    finally:
        gc.enable()
    assert kept <= 3  # the last until the next has left, the first by a timer of its own


async def test_of_a_member_that_could_not_leave_nothing_goes_on(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was left while it joined asked for its coordinator for ever after an outage."""
    house = house_of(kafka)
    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, numbered(1))
        before = asyncio.all_tasks()
        async with transport.consumer(house.topic, house.group) as consumer:
            assert isinstance(consumer, KafkaConsumer)
            assert await read(consumer, 1)
            running = asyncio.all_tasks() - before
            inner = consumer._consumer
            monkeypatch.setattr(inner._coordinator, "close", asyncio.Event().wait)
            monkeypatch.setattr(consumer, "_session_seconds", 0.1)
        assert len(running) >= 4
        assert [task for task in running if not task.done()] == []
        assert not any(connection.connected() for connection in inner._client._conns.values())


async def test_a_member_whose_metadata_nobody_follows_any_more_is_given_up(kafka: KafkaServer) -> None:
    """It would read on from the brokers it knows, and stand still for ever once they change."""
    house = house_of(kafka)

    async def broken(*_: object) -> bool:
        raise RuntimeError("the handler is closed")

    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, numbered(1))
        async with transport.consumer(house.topic, house.group) as consumer:
            assert isinstance(consumer, KafkaConsumer)
            assert await read(consumer, 1)
            client = consumer._consumer._client
            client._metadata_update = broken
            client.force_metadata_update()
            await asyncio.wait([client._sync_task])
            with pytest.raises(TransportUnavailable, match="half dead: sync_task"):
                await consumer.batch(1, 5.0)
        async with transport.consumer(house.topic, house.group) as consumer:
            assert len(await read(consumer, 1)) == 1


async def test_a_producer_that_lost_its_sequence_is_replaced(kafka: KafkaServer) -> None:
    house = house_of(kafka)
    async with house.transport() as transport:
        assert isinstance(transport, KafkaTransport)
        publisher = transport.publisher()
        await publisher.publish_many(house.topic, numbered(40))
        connection = publisher._connection
        assert connection is not None
        for partition in range(8):
            sequences = connection._producer.raw._txn_manager
            sequences.increment_sequence_number(TopicPartition(house.topic, partition), 1000)
        with pytest.raises(TransportUnavailable, match="OutOfOrderSequenceNumber"):
            await publisher.publish_many(house.topic, said("lost"))
        await publisher.publish_many(house.topic, said("found"))


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    transport = KafkaTransport(KafkaServers("127.0.0.1:1"))
    with pytest.raises(TransportUnavailable):
        await transport.start()
    with pytest.raises(TransportUnavailable):
        await transport.publisher().publish_many("t", said("a"))
    with pytest.raises(TransportUnavailable):
        async with transport.consumer("t", "g"):
            pass
    await transport.close()


async def test_a_topic_made_again_is_another_source_that_starts_at_its_beginning(kafka: KafkaServer) -> None:
    house, known = house_of(kafka), Known()
    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, said("a", "b", "c"))
        async with transport.consumer(house.topic, house.group, known) as consumer:
            known.done(await read(consumer, 3))
    await delete(kafka.bootstrap, house.topic)
    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, said("new"))
        async with transport.consumer(house.topic, house.group, known) as consumer:
            (record,) = await read(consumer, 1)
    assert (record.value, record.source in known.last) == (b"new", False)


async def test_creating_topics_twice_changes_nothing(kafka: KafkaServer) -> None:
    house = house_of(kafka)
    await create_topics(KafkaServers(kafka.bootstrap), [house.topic], 3)
    first = await topic_id(KafkaServers(kafka.bootstrap), house.topic)
    await create_topics(KafkaServers(kafka.bootstrap), [house.topic], 8)
    assert await topic_id(KafkaServers(kafka.bootstrap), house.topic) == first


async def test_a_topic_that_was_unknown_when_its_reader_joined_is_read(kafka: KafkaServer) -> None:
    house = house_of(kafka)
    early = KafkaTransport(KafkaServers(kafka.bootstrap), topics=[])
    async with early.consumer(house.topic, house.group) as consumer:
        assert await consumer.batch(1, 0.5) == []
        async with house.transport() as transport:
            await transport.publisher().publish_many(house.topic, said("late"))
            assert values(await read(consumer, 1)) == ["late"]
    await early.close()


async def test_records_of_others_without_key_or_value_or_unicode_are_read(kafka: KafkaServer) -> None:
    house = house_of(kafka)
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as consumer:
        producer: Any = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)  # type: ignore[no-untyped-call]
        await producer.start()
        await producer.send_and_wait(house.topic, b"v", partition=0, headers=[("h", b"\xff"), ("none", None)])
        await producer.send_and_wait(house.topic, None, key=b"\xff", partition=0)
        await producer.stop()
        records = await read(consumer, 2)
    assert [(record.key, record.value, record.headers) for record in records] == [
        ("", b"v", {"h": "\ufffd"}),
        ("\ufffd", b"", {}),
    ]


async def test_records_of_a_partition_that_moved_meanwhile_are_not_committed_and_not_lost(kafka: KafkaServer) -> None:
    house = house_of(kafka)
    async with house.transport() as transport, transport.consumer(house.topic, house.group) as slow:
        await transport.publisher().publish_many(house.topic, numbered(40))
        in_hand = await read(slow, 40)
        async with transport.consumer(house.topic, house.group) as other:
            taken = await read(other, 1)
            await slow.commit(in_hand)
            assert {*values(taken)} <= {*values(in_hand)}


def test_the_asyncapi_document_names_every_topic() -> None:
    document = asyncapi()
    assert set(TOPICS) == set(ALL)
    assert all(f'"{topic}"' in document for topic in ALL)
    assert "external_id" in document


async def delete(bootstrap: str, topic: str) -> None:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_topics([topic])
    await admin.close()
