"""Many records at once, in batches of aiokafka's producer: one for each partition, in the order they were given."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from aiokafka.partitioner import murmur2

from shared.transport.protocol import Outgoing


async def send_all(producer: Any, topic: str, records: Sequence[Outgoing]) -> None:
    """Return once all are confirmed; `producer` is aiokafka's. Raises KafkaError: some may be there then."""
    partitions = sorted(await producer.partitions_for(topic))
    waiting: defaultdict[int, list[Outgoing]] = defaultdict(list)
    for record in records:
        waiting[partitions[_hash(record.key) % len(partitions)]].append(record)
    sending = (_send_in_order(producer, topic, partition, mine) for partition, mine in waiting.items())
    for outcome in await asyncio.gather(*sending, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _send_in_order(producer: Any, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
    batch, confirmed = producer.create_batch(), []
    for record in records:
        if not _append(batch, record):
            confirmed.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            _append(batch, record)
    confirmed.append(await producer.send_batch(batch, topic, partition=partition))
    for outcome in await asyncio.gather(*confirmed, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _append(batch: Any, record: Outgoing) -> bool:
    """False when the batch is full; an empty one takes a record of any size."""
    headers = [(name, value.encode()) for name, value in record.headers.items()]
    added = batch.append(timestamp=None, key=record.key.encode(), value=record.value, headers=headers)
    return added is not None


@lru_cache(maxsize=10_000)
def _hash(key: str) -> int:
    """As aiokafka's own partitioner (and Java's), which is plain Python and slow: keys come back."""
    hashed: int = murmur2(key.encode())  # type: ignore[no-untyped-call]
    return hashed & 0x7FFFFFFF
