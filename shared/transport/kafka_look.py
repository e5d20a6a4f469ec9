"""Reads a Kafka topic from its beginning without a group: partitions are assigned by hand, nothing is committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.kafka_servers import KafkaServers
from shared.transport.kafka_consumer import _record
from shared.transport.kafka_deadline import SECONDS, asking_kafka
from shared.transport.kafka_options import options
from shared.transport.kafka_topics import topic_id
from shared.transport.limits import MAX_RECORD_BYTES, READ_BYTES
from shared.transport.protocol import Record

BATCH = 500
WAIT_MILLISECONDS = 1000


async def look_kafka(
    servers: KafkaServers, topic: str, since: datetime | None = None, behind: Mapping[str, int] = MappingProxyType({})
) -> AsyncIterator[list[Record]]:
    """Yield what the topic holds now, behind an offset of each source that is named. Raises TransportUnavailable."""
    consumer: Any = AIOKafkaConsumer(  # type: ignore[no-untyped-call]
        **options(servers),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_RECORD_BYTES + 64 * 1024,
        fetch_max_bytes=READ_BYTES,
        request_timeout_ms=int(SECONDS * 1000),
    )
    try:
        id = await topic_id(servers, topic)
        async with asking_kafka(f"looking at {topic}"):
            await consumer.start()
            known = {_number(source): at for source, at in behind.items() if source.startswith(f"{topic}/{id}/")}
            ends = await _seek(consumer, topic, since, known)
        while ends:
            async with asking_kafka(f"reading {topic}", SECONDS + WAIT_MILLISECONDS / 1000):
                found = await consumer.getmany(timeout_ms=WAIT_MILLISECONDS, max_records=BATCH)
                for partition in list(ends):
                    if await consumer.position(partition) >= ends[partition]:
                        del ends[partition]
            yield [_record(f"{topic}/{id}/{p.partition}", message) for p, some in found.items() for message in some]
    finally:
        await consumer.stop()


async def _seek(
    consumer: Any, topic: str, since: datetime | None, behind: Mapping[int, int]
) -> dict[TopicPartition, int]:
    """Place every partition at its beginning, or at a moment; return the ends of those that hold something there."""
    await consumer._client.add_topic(topic)
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(partitions)
    begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    if since is not None:
        moment = int(since.timestamp() * 1000)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, moment))
        begins = {p: found[p].offset if found.get(p) else ends[p] for p in partitions}
    begins = {p: max(offset, behind.get(p.partition, -1) + 1) for p, offset in begins.items()}
    for partition in partitions:
        consumer.seek(partition, begins[partition])
    return {p: ends[p] for p in partitions if begins[p] < ends[p]}


def _number(source: str) -> int:
    return int(source.rpartition("/")[2])
