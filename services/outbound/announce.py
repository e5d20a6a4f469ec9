"""Tells how replies fared: a fate is published until the transport has confirmed it, then marked as told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid5

from services.outbound.ledger import Ledger
from services.outbound.metrics import ANNOUNCED
from shared.clock import now
from shared.contracts import topics
from shared.contracts.codec import encode
from shared.contracts.delivery import DeliveryReport
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.said import said_with_kind
from shared.transport.protocol import Outgoing, Publisher, TransportUnavailable

BATCH = 200
IDLE_SECONDS = 5.0
AGAIN_SECONDS = 1.0
OTHERS_AFTER = timedelta(seconds=10)
"""What another process settled and has not told for so long, it will not tell any more."""
log = Log("outbound.announce")


class Announcer:
    """`settled` is set by whoever writes a fate into the ledger."""

    def __init__(self, ledger: Ledger, publisher: Publisher, settled: asyncio.Event) -> None:
        self._ledger, self._publisher, self._settled = ledger, publisher, settled

    async def run(self) -> None:
        """Tell until cancelled; begins with everything that was left untold."""
        others_after = timedelta(0)
        while True:
            self._settled.clear()
            try:
                while await self._tell(others_after):
                    pass
            except (DatabaseUnavailable, TransportUnavailable) as error:
                log.warning("announcements_wait", reason=said_with_kind(error))
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            others_after = OTHERS_AFTER
            await self._wait()

    async def _tell(self, others_after: timedelta) -> int:
        reports = await self._ledger.unannounced(BATCH, settled_before=now() - others_after)
        if reports:
            await self._publisher.publish_many(topics.DELIVERY, [_record(report) for report in reports])
            await self._ledger.announced(reports)
        for report in reports:
            ANNOUNCED.labels(report.state).inc()
            log.info("delivery_reported", reply_id=report.reply_id, attempt=report.attempt, state=report.state)
        return len(reports)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._settled.wait()
        except TimeoutError:
            return


def _record(report: DeliveryReport) -> Outgoing:
    """The same fate told twice has the same CloudEvents id."""
    id_ = uuid5(report.reply_id, f"{report.attempt}:{report.state}")
    encoded = encode(report, id=id_, source=f"/channels/{report.channel_id}", at=report.at)
    return Outgoing(str(report.conversation_id), encoded.value, encoded.headers)
