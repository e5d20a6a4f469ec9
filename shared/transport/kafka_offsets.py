"""How far topics and groups are, asked without joining anything."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.kafka_servers import KafkaServers
from shared.transport.kafka_deadline import SECONDS, asking_kafka
from shared.transport.kafka_options import options
from shared.transport.kafka_topics import topic_id


async def ends(servers: KafkaServers, topic: str) -> dict[str, int]:
    """Return the offset of the last record of each partition that has any, by source. Raises TransportUnavailable."""
    id_ = await topic_id(servers, topic)
    consumer: Any = AIOKafkaConsumer(**options(servers), request_timeout_ms=int(SECONDS * 1000))  # type: ignore[no-untyped-call]
    try:
        async with asking_kafka(f"ends of {topic}"):
            await consumer.start()
            await consumer._client.force_metadata_update()
            partitions = [
                TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            begin, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return {
        _source(id_, partition): end[partition] - 1 for partition in partitions if end[partition] > begin[partition]
    }


async def done(servers: KafkaServers, topic: str, group: str) -> dict[str, int]:
    """Return the last offset that a group has committed of each partition, by source. Raises TransportUnavailable."""
    id_ = await topic_id(servers, topic)
    admin: Any = AIOKafkaAdminClient(**options(servers), request_timeout_ms=int(SECONDS * 1000))
    try:
        async with asking_kafka(f"offsets of {group}"):
            await admin.start()
            offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {_source(id_, place): found.offset - 1 for place, found in offsets.items() if place.topic == topic}


def _source(id_: object, partition: TopicPartition) -> str:
    """As `kafka_consumer` names it."""
    return f"{partition.topic}/{id_}/{partition.partition}"
