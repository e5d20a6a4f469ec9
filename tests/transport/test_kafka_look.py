"""Looking at a topic of Kafka's: all that it holds now, from a moment on, without being a member of anything."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.kafka_servers import KafkaServers
from shared.transport.kafka_look import look_kafka
from shared.transport.protocol import TransportUnavailable
from tests.peers.kafka import KafkaServer
from tests.peers.process import free_port
from tests.transport.house import House, numbered, read, said, values

pytestmark = pytest.mark.cluster


async def looked(server: KafkaServer, topic: str, since: datetime | None = None) -> list[str]:
    batches = [batch async for batch in look_kafka(KafkaServers(server.bootstrap), topic, since)]
    return values([record for batch in batches for record in batch])


async def test_all_partitions_are_read_from_their_beginning_to_what_they_hold_now(kafka: KafkaServer) -> None:
    house = House(f"kafka://{kafka.bootstrap}")
    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, numbered(2500))
        assert sorted(await looked(kafka, house.topic)) == sorted(values(numbered(2500)))
        async with transport.consumer(house.topic, house.group) as consumer:
            await consumer.commit(await read(consumer, 2500))
        assert len(await looked(kafka, house.topic)) == 2500


async def test_it_moves_no_position_and_is_in_no_group(kafka: KafkaServer) -> None:
    house = House(f"kafka://{kafka.bootstrap}")
    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, said("one", "two"))
        before = await _groups(kafka)
        await looked(kafka, house.topic)
        assert await _groups(kafka) == before
        async with transport.consumer(house.topic, house.group) as consumer:
            assert sorted(values(await read(consumer, 2))) == ["one", "two"]


async def test_only_what_came_since_a_moment_is_read(kafka: KafkaServer) -> None:
    house = House(f"kafka://{kafka.bootstrap}")
    async with house.transport() as transport:
        await transport.publisher().publish_many(house.topic, said("old", "older"))
        await asyncio.sleep(0.05)
        moment = datetime.now(UTC)
        await asyncio.sleep(0.05)
        await transport.publisher().publish_many(house.topic, said("new"))
        assert await looked(kafka, house.topic, moment) == ["new"]
        assert await looked(kafka, house.topic, moment + timedelta(hours=1)) == []


async def test_an_empty_topic_is_empty_and_one_that_is_not_there_is_unavailable(kafka: KafkaServer) -> None:
    house = House(f"kafka://{kafka.bootstrap}")
    async with house.transport():
        assert await looked(kafka, house.topic) == []
        with pytest.raises(TransportUnavailable):
            await looked(kafka, "no-such-topic")


async def test_a_broker_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(TransportUnavailable):
        [batch async for batch in look_kafka(KafkaServers(f"127.0.0.1:{free_port()}"), "okno.inbound")]


async def _groups(server: KafkaServer) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap)
    await admin.start()
    try:
        return {group for group, _ in await admin.list_consumer_groups()}
    finally:
        await admin.close()
