"""Creates the topics, and asks for a topic's id: a topic that was deleted and made again has another one.

aiokafka 0.14 speaks Metadata up to version 5; ids are in it since version 10 (KIP-516), so version 12 is spelt here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from shared.kafka_servers import KafkaServers
from shared.transport.kafka_deadline import SECONDS, asking_kafka
from shared.transport.kafka_options import options
from shared.transport.limits import MAX_RECORD_BYTES

CONFIGS = {
    "max.message.bytes": str(MAX_RECORD_BYTES + 64 * 1024),
    "retention.ms": str(30 * 24 * 3600 * 1000),
    "compression.type": "producer",
}
"""30 days: a projector may be down for a long holiday and lose nothing (Kafka's default is 7)."""
LED_POLL_SECONDS = 0.05
MAY_NOT = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)


async def create_topics(servers: KafkaServers, topics: Iterable[str], partitions: int, replication: int = -1) -> None:
    """Create those topics that are missing, and wait until brokers know these.

    `replication` -1: as the brokers' default.replication.factor says. Raises TransportUnavailable.
    """
    new: Any = NewTopic
    wanted = [new(topic, partitions, replication, {}, CONFIGS) for topic in topics]
    admin: Any = AIOKafkaAdminClient(**options(servers), request_timeout_ms=int(SECONDS * 1000))
    try:
        async with asking_kafka("creating topics"):
            await admin.start()
            answers = [row[:3] for row in (await admin.create_topics(wanted)).topic_errors]
            await _wait_for_leaders(admin, {topic for topic, code, _ in answers if not code})
            await _refuse_missing(admin, {topic: for_code(code)(f"{topic}: {said}") for topic, code, said in answers})
    finally:
        await admin.close()


async def _refuse_missing(admin: Any, answers: Mapping[str, KafkaError]) -> None:
    """Who may not create topics is told so of those that exist, too: somebody else has made them."""
    failed = {
        topic: error for topic, error in answers.items() if not isinstance(error, (NoError, TopicAlreadyExistsError))
    }
    others = await admin.list_topics() if any(isinstance(error, MAY_NOT) for error in failed.values()) else []
    for topic, error in failed.items():
        if not (isinstance(error, MAY_NOT) and topic in others):
            raise error


async def _wait_for_leaders(admin: Any, topics: Collection[str]) -> None:
    """The controller creates a topic; a broker learns of it, and of its partitions' leaders, a moment later."""
    while topics and not all(map(_is_led, await admin.describe_topics(list(topics)))):  # noqa: ASYNC110 - nothing tells when
        await asyncio.sleep(LED_POLL_SECONDS)


def _is_led(topic: Mapping[str, Any]) -> bool:
    return not topic["error_code"] and all(not partition["error_code"] for partition in topic["partitions"])


async def topic_id(servers: KafkaServers, topic: str) -> UUID:
    """Return the id the cluster gave the topic when it was created. Raises TransportUnavailable."""
    client: Any = AIOKafkaClient(  # type: ignore[no-untyped-call]
        **options(servers), request_timeout_ms=int(SECONDS * 1000)
    )
    try:
        async with asking_kafka(f"id of {topic}"):
            await client.bootstrap()
            answer = await client.send(client.get_random_node(), _Metadata(topic))
            code, _, found = answer.topics[0][:3]
            if code:
                raise for_code(code)(topic)
            return UUID(bytes=found)
    finally:
        await client.close()


class _Uuid(AbstractType[bytes]):
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


_Ints = CompactArray(Int32)


class _MetadataResponseV12(Response):
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", _Ints),
                        ("isr", _Ints),
                        ("offline_replicas", _Ints),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestV12(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponseV12
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Metadata(Request[_MetadataRequestV12]):
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_MetadataRequestV12]) -> _MetadataRequestV12:
        topics: Sequence[object] = [(bytes(16), self._topic, {})]
        return request_struct_class(topics, False, False, {})
