"""The `Inlet` of a channel: what a receiver gives is understood, published, and only then has an id to confirm with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from services.ingest.fetch_queue import FetchQueue
from services.ingest.health import HealthReports
from services.ingest.kept_settings import KeptSettings
from services.ingest.metrics import ACCEPT_SECONDS, ACCEPTED, lag_of
from services.ingest.understand import Parse, Understood, understand
from shared.blobs import Blobs
from shared.connector import Channel, Cursor
from shared.contracts import topics
from shared.contracts.codec import Encoded, encode
from shared.contracts.inbound import InboundMessage, InboundUnreadable, partition_key
from shared.logs import Log
from shared.parsed import RawItem
from shared.transport.protocol import Outgoing, Publisher

MESSAGE_BYTES = 1024 * 1024
"""A larger record of a message (endless headers or form fields) would choke whoever comes after us."""
log = Log("ingest")


class ChannelInlet:
    """Accepts the items of one channel."""

    def __init__(
        self,
        channel: Channel,
        parse: Parse,
        cursor: Cursor,
        publisher: Publisher,
        blobs: Blobs,
        health: HealthReports,
        kept: KeptSettings,
        fetches: FetchQueue | None = None,
        public_url: str = "",
    ) -> None:
        self.cursor, self.public_url = cursor, public_url
        self._channel, self._parse = channel, parse
        self._publisher, self._blobs, self._fetches = publisher, blobs, fetches
        self._health, self._kept = health, kept
        self._messages = ACCEPTED.labels(channel.kind, "message")
        self._unreadable = ACCEPTED.labels(channel.kind, "unreadable")
        self._seconds = ACCEPT_SECONDS.labels(channel.kind)

    async def accept(self, item: RawItem) -> UUID:
        started = time.perf_counter()
        understood = await understand(item, self._channel, self._parse, self._blobs)
        understood = await publish(self._publisher, understood, item.received_at, self._fetches)
        self._health.received(self._channel.id, item.received_at)
        (self._messages if isinstance(understood, InboundMessage) else self._unreadable).inc()
        self._seconds.observe(time.perf_counter() - started)
        return understood.id

    def report(self, *, lag: int | None = None, problem: str | None = None) -> None:
        self._health.report(self._channel.id, problem or "", lag)
        if lag is not None:
            lag_of(self._channel).set(lag)

    async def keep_settings(self, changes: Mapping[str, str]) -> None:
        """Return once settings that the provider changed are durable; the receiver that tells of them runs on."""
        self._channel = await self._kept.keep(self._channel, changes)


async def publish(
    publisher: Publisher, understood: Understood, at: datetime, fetches: FetchQueue | None = None
) -> Understood:
    """Return what was published once it is durable, its remote files noted. Raises what the publisher raises."""
    if fetches is not None and isinstance(understood, InboundMessage) and understood.remote_files:
        await fetches.hold(understood)
        published = await publish(publisher, understood, at)
        await fetches.release(understood.id)
        return published
    record = _record(understood, at)
    if len(record.value) > MESSAGE_BYTES and isinstance(understood, InboundMessage):
        understood = _too_large(understood, len(record.value))
        record = _record(understood, at)
    await publisher.publish(topics.INBOUND, Outgoing(_key(understood), record.value, record.headers))
    if isinstance(understood, InboundMessage):
        log.info("inbound_published", inbound_id=understood.id, channel_id=understood.channel_id)
    else:
        log.warning("inbound_unreadable", inbound_id=understood.id, channel_id=understood.channel_id)
    return understood


def _record(understood: Understood, at: datetime) -> Encoded:
    return encode(understood, id=understood.id, source=_source(understood.channel_id), at=at)


@lru_cache(maxsize=1024)
def _source(channel_id: UUID) -> str:
    return f"/channels/{channel_id}"


def _too_large(message: InboundMessage, size: int) -> InboundUnreadable:
    """The raw bytes are kept; only what was made of them does not fit."""
    return InboundUnreadable(
        id=message.id,
        channel_id=message.channel_id,
        channel_kind=message.channel_kind,
        external_id=message.external_id,
        received_at=message.received_at,
        reason=f"too large: {size} bytes without its files, the limit is {MESSAGE_BYTES}",
        context={},
        raw=message.raw,
    )


def _key(understood: Understood) -> str:
    """One client's messages keep their order; of an unreadable item only the channel is known."""
    if isinstance(understood, InboundMessage):
        return partition_key(understood.sender)
    return f"{understood.channel_kind}:{understood.channel_id}"
