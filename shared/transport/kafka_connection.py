"""A FastStream broker that only publishes, and how to be rid of it: acks=all, idempotent, keys by murmur2.

An idempotent aiokafka producer repeats what is not confirmed without end; `end` cuts that off.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cache
from itertools import chain
from typing import Any

from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from faststream.kafka.prometheus import KafkaPrometheusMiddleware
from faststream.kafka.publisher.producer import AioKafkaFastProducerImpl
from prometheus_client import CollectorRegistry

from shared.kafka_servers import KafkaServers
from shared.transport.kafka_deadline import asking_kafka
from shared.transport.kafka_options import security
from shared.transport.limits import MAX_RECORD_BYTES

BATCH_BYTES = 128 * 1024
STOP_SECONDS = 2.0


class Connection:
    """Connect it once; after `end` make a new one."""

    def __init__(self, servers: KafkaServers, seconds: float, registry: CollectorRegistry | None) -> None:
        self._seconds = seconds
        self._producer = _Producer()
        self.broker = KafkaBroker(
            servers.bootstrap.split(","),
            security=security(servers),
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=int(seconds * 1000),
            max_request_size=MAX_RECORD_BYTES + 64 * 1024,
            max_batch_size=BATCH_BYTES,
            allow_auto_create_topics=False,
            id_generator=lambda: "",  # no correlation_id header: a record is named by ce_id
            middlewares=(_metrics(registry),) if registry else (),
            logger=None,
        )
        self.broker.config.broker_config.producer = self._producer

    @property
    def producer(self) -> Any:
        """aiokafka's own, once connected."""
        return self._producer.raw

    async def connect(self) -> None:
        try:
            async with asking_kafka("connecting", self._seconds):
                await self.broker.connect()
        except BaseException:
            await self.end()
            raise

    async def end(self) -> None:
        """Stop within STOP_SECONDS, then cut off what is left; its waiters learn that it is not confirmed."""
        if (raw := self._producer.raw) is None:
            return
        with suppress(KafkaError, TimeoutError, OSError):  # whatever was not confirmed, its publisher raises
            async with asyncio.timeout(STOP_SECONDS):
                await self.broker.stop()
                await raw.stop()
                return
        sender = raw._sender.sender_task
        if sender is not None and not sender.done():
            sender.cancel()
            await asyncio.wait([sender], timeout=STOP_SECONDS)
        _fail_all(raw._message_accumulator)
        await raw.client.close()


def _fail_all(accumulator: Any) -> None:
    batches = [*chain(*accumulator._batches.values()), *accumulator._pending_batches]
    accumulator.fail_all(KafkaError("the producer was replaced"))
    for batch in batches:
        batch._drain_waiter.exception()  # nobody else asks, and asyncio would complain of that with a traceback


class _Producer(AioKafkaFastProducerImpl):
    """FastStream's producer; keeps hold of aiokafka's even when it could not start."""

    __slots__ = ("raw",)

    def __init__(self) -> None:
        super().__init__(parser=None, decoder=None)
        self.raw: Any = None

    async def connect(self, producer: Any, serializer: Any, codec: Any = None) -> None:
        self.raw = producer
        await super().connect(producer, serializer, codec)


@cache
def _metrics(registry: CollectorRegistry) -> KafkaPrometheusMiddleware:
    return KafkaPrometheusMiddleware(registry=registry, metrics_prefix="okno_kafka")
