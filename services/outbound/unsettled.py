"""Asks again about replies of unknown fate, where a channel can tell later (a mail in the Sent folder) that they left.

Only a "sent" comes of it: that nothing is found proves nothing.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.outbound.ledger import Ledger, Unknown
from services.outbound.senders import Senders
from shared.clock import now
from shared.connector import SendError, Sent
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log

LOOK_SECONDS = 15.0
PAUSES_SECONDS = (30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""After the loss, after the first look, ...; the last one repeats."""
GIVE_UP_AFTER = timedelta(hours=24)
AT_ONCE = 20
ASK_SECONDS = 60.0
log = Log("outbound")


class AskAgain:
    """Runs until cancelled; `settled` is set when a fate became known."""

    def __init__(self, ledger: Ledger, senders: Senders, settled: asyncio.Event) -> None:
        self._ledger, self._senders, self._settled = ledger, senders, settled
        self._looks: dict[tuple[UUID, int], tuple[int, datetime]] = {}

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look(now())
            except DatabaseUnavailable as error:
                log.warning("ledger_unavailable", reason=str(error))

    async def look(self, at: datetime) -> None:
        """Ask about what is due at this moment."""
        able = [id_ for id_, each in self._senders.channels.items() if each.state == "active" and self._can_tell(id_)]
        unknown = await self._ledger.unknown(able, at - GIVE_UP_AFTER)
        self._looks = {each.key: self._looks.get(each.key, (0, each.since)) for each in unknown}
        due = [each for each in unknown if self._is_due(each, at)][:AT_ONCE]
        for each in due:
            self._looks[each.key] = (self._looks[each.key][0] + 1, at)
            sent = await self._asked(each)
            if sent is not None and await self._ledger.settle_unknown(each, sent):
                log.info("reply_settled", reply_id=each.reply_id, attempt=each.attempt)
                self._settled.set()

    def _can_tell(self, channel_id: UUID) -> bool:
        kind = self._senders.kind(channel_id)
        return kind is not None and kind.capabilities.tells_later

    def _is_due(self, each: Unknown, at: datetime) -> bool:
        looks, last = self._looks[each.key]
        return at - last >= timedelta(seconds=PAUSES_SECONDS[min(looks, len(PAUSES_SECONDS) - 1)])

    async def _asked(self, each: Unknown) -> Sent | None:
        try:
            async with asyncio.timeout(ASK_SECONDS), self._senders.use(each.channel_id) as sender:
                tells: Any = sender
                sent: Sent | None = await tells.settled(each.reply_id)
                return sent
        except (SendError, LookupError, TimeoutError) as error:
            log.info("reply_not_settled", reply_id=each.reply_id, reason=str(error) or "no answer in time")
        except Exception as error:  # a sender that cannot be opened tells so when something is to be sent
            log.error("settling_failed", error, channel_id=each.channel_id)
        return None
