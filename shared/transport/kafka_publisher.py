"""Publishing to Kafka through FastStream; a producer that failed for good is replaced at the next publish.

Many at once go past FastStream, in batches of its producer: FastStream's publish_batch puts everything into one
partition whatever the keys, and its publish costs twenty times as much a record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from faststream.kafka import KafkaBroker
from prometheus_client import CollectorRegistry

from shared.kafka_servers import KafkaServers
from shared.transport.kafka_batches import send_all
from shared.transport.kafka_connection import Connection
from shared.transport.kafka_deadline import SECONDS, asking_kafka
from shared.transport.limits import RecordTooLarge, check_size
from shared.transport.protocol import Outgoing, TransportUnavailable


class KafkaPublisher:
    """One a transport; it connects at the first publish and again after it lost its producer.

    `registry`: where FastStream's Prometheus metrics go; they take 25 µs a record.
    """

    def __init__(
        self, servers: KafkaServers, seconds: float = SECONDS, registry: CollectorRegistry | None = None
    ) -> None:
        self._servers, self._seconds, self._registry = servers, seconds, registry
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    async def publish(self, topic: str, record: Outgoing) -> None:
        check_size(record)
        await self._publishing(lambda connection: _send(connection.broker, topic, record))

    async def publish_many(self, topic: str, records: Sequence[Outgoing]) -> None:
        for record in records:
            check_size(record)

        if records:
            await self._publishing(lambda connection: send_all(connection.producer, topic, records))

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.end()

    async def _publishing(self, send: Callable[[Connection], Awaitable[Any]]) -> None:
        connection = await self._connected()
        try:
            async with asking_kafka("publishing", self._seconds):
                await send(connection)
        except TransportUnavailable as failure:
            if isinstance(failure.__cause__, MessageSizeTooLargeError):
                raise RecordTooLarge(str(failure.__cause__)) from failure
            if _is_fatal(failure.__cause__):
                await self._forget(connection)
            raise

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._connection is None:
                connection = Connection(self._servers, self._seconds, self._registry)
                await connection.connect()
                self._connection = connection
            return self._connection

    async def _forget(self, connection: Connection) -> None:
        """Forget a producer, once, with all it still holds: its waiters learn at once that nothing is confirmed."""
        if self._connection is connection:
            self._connection = None
            await connection.end()


async def _send(broker: KafkaBroker, topic: str, record: Outgoing) -> Any:
    return await broker.publish(record.value, topic, key=record.key.encode(), headers=dict(record.headers))


def _is_fatal(error: BaseException | None) -> bool:
    """Whether the producer itself is at its end: a lost sequence (aiokafka never resets it), or no answer in time."""
    if isinstance(error, TopicAuthorizationFailedError):
        return False
    return not (isinstance(error, KafkaError) and error.retriable)
