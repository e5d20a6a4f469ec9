"""Takes replies from okno.outbound into the ledger; the position moves on once they are durable there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from services.outbound.ledger import Ledger
from services.outbound.metrics import ACCEPTED
from shared.contracts import topics
from shared.contracts.codec import UndecodableRecord, decode
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.said import said, said_with_kind
from shared.transport.letters import letter
from shared.transport.protocol import Consumer, Publisher, Record, Transport, TransportUnavailable

GROUP = "outbound"
BATCH = 100
WAIT_SECONDS = 5.0
AGAIN_SECONDS = 1.0
log = Log("outbound.deliver")


class Deliver:
    """`accepted` is told the replies that are now in the ledger."""

    def __init__(
        self,
        transport: Transport,
        publisher: Publisher,
        ledger: Ledger,
        accepted: Callable[[Sequence[OutboundReply]], Awaitable[None]],
    ) -> None:
        self._transport, self._publisher, self._ledger, self._accepted = transport, publisher, ledger, accepted

    async def run(self) -> None:
        """Consume until cancelled; while transport or database are away, wait and begin again."""
        while True:
            try:
                async with self._transport.consumer(topics.OUTBOUND, GROUP) as consumer:
                    while True:
                        await self._take(consumer)
            except (TransportUnavailable, DatabaseUnavailable) as error:
                log.warning("deliver_waits", reason=said_with_kind(error))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _take(self, consumer: Consumer) -> None:
        records = await consumer.batch(BATCH, WAIT_SECONDS)
        if not records:
            return
        replies = [reply for record in records if (reply := await self._read(record))]
        if replies:
            await self._ledger.accept(replies)
            ACCEPTED.inc(len(replies))
        await consumer.commit(records)
        await self._accepted(replies)

    async def _read(self, record: Record) -> OutboundReply | None:
        try:
            reply = decode(record.value, record.headers)
        except UndecodableRecord as error:
            await self._bury(record, said(error))
            return None
        if not isinstance(reply, OutboundReply):
            await self._bury(record, f"a {type(reply).__name__} does not belong here")
            return None
        return reply

    async def _bury(self, record: Record, reason: str) -> None:
        await self._publisher.publish(topics.DEAD_LETTERS, letter(record, reason))
        log.error("record_buried", source=record.source, offset=record.offset, reason=reason)
