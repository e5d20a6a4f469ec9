"""Every await on Kafka has a deadline, and every failure of it becomes TransportUnavailable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError

from shared.transport.protocol import TransportUnavailable

SECONDS = 30.0
"""Kafka's own clients give a request 30 s; a leader's failure is over within that time."""


@asynccontextmanager
async def asking_kafka(what: str, seconds: float = SECONDS) -> AsyncIterator[None]:
    """Raise TransportUnavailable for errors of Kafka or the network, and when `seconds` are over."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (KafkaError, TimeoutError, OSError) as error:
        raise TransportUnavailable(f"Kafka, {what}: {error!r}") from error
