"""Reads quarantined items again, from their raw bytes, when somebody asked for it; the inbound id stays the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.ingest.directory import Directory
from services.ingest.fetch_queue import FetchQueue
from services.ingest.metrics import RETRIED
from services.ingest.publish import publish
from services.ingest.understand import Understood, understand
from shared.blobs import Blobs
from shared.clock import now
from shared.connector import Kind
from shared.contracts import topics
from shared.contracts.codec import UndecodableRecord, decode
from shared.contracts.inbound import InboundMessage, InboundUnreadable
from shared.contracts.retry import RetryUnreadable
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.parsed import RawItem
from shared.said import said, said_with_kind
from shared.transport.letters import letter
from shared.transport.protocol import Consumer, Publisher, Record, Transport, TransportUnavailable

GROUP = "ingest"
BATCH = 20
WAIT_SECONDS = 5.0
AGAIN_SECONDS = 2.0
log = Log("ingest.retries")


class Retries:
    """Consumes okno.retries; a record is committed once its result is published."""

    def __init__(
        self,
        transport: Transport,
        publisher: Publisher,
        directory: Directory,
        load: Callable[[str], Kind],
        blobs: Blobs,
        fetches: FetchQueue | None = None,
    ) -> None:
        self._transport, self._publisher, self._fetches = transport, publisher, fetches
        self._directory, self._load, self._blobs = directory, load, blobs

    async def run(self) -> None:
        """Consume until cancelled; while transport or database are away, wait and begin again."""
        while True:
            try:
                async with self._transport.consumer(topics.RETRIES, GROUP) as consumer:
                    await self._consume(consumer)
            except (TransportUnavailable, DatabaseUnavailable, OSError) as error:
                log.warning("retries_wait", reason=said_with_kind(error))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _consume(self, consumer: Consumer) -> None:
        while True:
            for record in await consumer.batch(BATCH, WAIT_SECONDS):
                await self._retry(record)
                await consumer.commit([record])

    async def _retry(self, record: Record) -> None:
        try:
            request = decode(record.value, record.headers)
        except UndecodableRecord as error:
            await self._bury(record, said(error))
            return
        if not isinstance(request, RetryUnreadable):
            await self._bury(record, f"a {type(request).__name__} does not belong here")
            return
        understood = await self._read_again(request.item)
        await publish(self._publisher, understood, now(), self._fetches)
        RETRIED.labels(
            request.item.channel_kind, "message" if isinstance(understood, InboundMessage) else "unreadable"
        ).inc()

    async def _read_again(self, item: InboundUnreadable) -> Understood:
        await self._directory.reread()
        if (found := self._directory.by_id(item.channel_id)) is None:
            return _still(item, "the channel it came by is no longer connected")
        try:
            data = item.raw.data if item.raw.data is not None else await self._blobs.get(item.raw.sha256)
        except FileNotFoundError:
            return _still(item, f"its raw bytes are missing: no file {item.raw.sha256}")
        raw = RawItem(data, item.raw.media_type, item.received_at, item.external_id, item.context)
        parse = self._load(item.channel_kind).parse
        return await understand(raw, found.channel, parse, self._blobs, item.id)

    async def _bury(self, record: Record, reason: str) -> None:
        await self._publisher.publish(topics.DEAD_LETTERS, letter(record, reason))
        log.error("record_buried", source=record.source, offset=record.offset, reason=reason)


def _still(item: InboundUnreadable, reason: str) -> InboundUnreadable:
    return InboundUnreadable(
        item.id, item.channel_id, item.channel_kind, item.external_id, item.received_at, reason, item.context, item.raw
    )
