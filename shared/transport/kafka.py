"""The Kafka transport: any number of processes, each a member of its groups. Kafka 3.7 or newer."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from shared.contracts.topics import ALL
from shared.kafka_servers import KafkaServers
from shared.transport.kafka_consumer import KafkaConsumer
from shared.transport.kafka_offsets import done, ends
from shared.transport.kafka_options import refuse_unreachable
from shared.transport.kafka_publisher import KafkaPublisher
from shared.transport.kafka_topics import create_topics
from shared.transport.protocol import Positions

PARTITIONS = 8
PUBLISH_SECONDS = 10.0
"""Telephony providers wait 15 s for an answer to a webhook: "come again" has to be said before that."""
SESSION_SECONDS = 10.0
"""A member that died is missed after this time and its partitions go to the others."""


class KafkaTransport:
    """Topics that exist keep their number of partitions.

    `seconds`: after this long without an answer a publish has failed. `registry`: for FastStream's metrics.
    """

    def __init__(
        self,
        servers: KafkaServers,
        *,
        topics: Sequence[str] = ALL,
        partitions: int = PARTITIONS,
        session_seconds: float = SESSION_SECONDS,
        seconds: float = PUBLISH_SECONDS,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._servers, self._topics, self._partitions = servers, topics, partitions
        self._session_seconds = session_seconds
        self._publisher = KafkaPublisher(servers, seconds, registry)

    def publisher(self) -> KafkaPublisher:
        return self._publisher

    def consumer(self, topic: str, group: str, positions: Positions | None = None) -> KafkaConsumer:
        return KafkaConsumer(self._servers, topic, group, positions, self._session_seconds)

    async def ends(self, topic: str) -> dict[str, int]:
        return await ends(self._servers, topic)

    async def done(self, topic: str, group: str) -> dict[str, int]:
        return await done(self._servers, topic, group)

    async def start(self) -> None:
        """Create the topics that are missing. Raises TransportUnavailable."""
        await refuse_unreachable(self._servers)
        await create_topics(self._servers, self._topics, self._partitions)

    async def close(self) -> None:
        await self._publisher.close()
