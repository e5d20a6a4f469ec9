"""Asks again about replies of unknown fate, where a channel can tell later (a mail in the Sent folder) that they left.

Only a "sent" comes of it: that nothing is found proves nothing. A channel that cannot be asked delays no other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
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
RESTS_SECONDS = (30.0, 60.0, 120.0, 300.0, 900.0)
"""Of a channel that failed to tell, after the first failure in a row, the second, ...; the last one repeats."""
GIVE_UP_AFTER = timedelta(hours=24)
AT_ONCE = 20
"""Replies that one channel is asked about in one look."""
CHANNELS_AT_ONCE = 8
ASK_SECONDS = 60.0
log = Log("outbound")


class AskAgain:
    """Runs until cancelled; `settled` is set when a fate became known."""

    def __init__(self, ledger: Ledger, senders: Senders, settled: asyncio.Event) -> None:
        self._ledger, self._senders, self._settled = ledger, senders, settled
        self._looks: dict[tuple[UUID, int], tuple[int, datetime]] = {}
        self._failures: dict[UUID, tuple[int, datetime]] = {}
        self._places = asyncio.Semaphore(CHANNELS_AT_ONCE)

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
        due = self._due(unknown, at)
        answers = await asyncio.gather(*(self._asked(channel_id, some, at) for channel_id, some in due.items()))
        for each, sent in (found for answer in answers for found in answer):
            if await self._ledger.settle_unknown(each, sent):
                log.info("reply_settled", reply_id=each.reply_id, attempt=each.attempt)
                self._settled.set()

    def forget(self, channel_id: UUID) -> None:
        """Ask a channel at the next look: it was changed."""
        self._failures.pop(channel_id, None)

    def _can_tell(self, channel_id: UUID) -> bool:
        kind = self._senders.kind(channel_id)
        return kind is not None and kind.capabilities.tells_later

    def _due(self, unknown: Sequence[Unknown], at: datetime) -> dict[UUID, list[Unknown]]:
        """Return what each channel is to be asked about, what was not looked at for longest first."""
        due: dict[UUID, list[Unknown]] = defaultdict(list)
        for each in sorted(unknown, key=lambda each: self._looks[each.key][1]):
            if self._is_due(each, at) and not self._rests(each.channel_id, at) and len(due[each.channel_id]) < AT_ONCE:
                due[each.channel_id].append(each)
        return due

    def _is_due(self, each: Unknown, at: datetime) -> bool:
        looks, last = self._looks[each.key]
        return at - last >= _pause(PAUSES_SECONDS, looks)

    def _rests(self, channel_id: UUID, at: datetime) -> bool:
        failed = self._failures.get(channel_id)
        return failed is not None and at - failed[1] < _pause(RESTS_SECONDS, failed[0] - 1)

    async def _asked(self, channel_id: UUID, due: Sequence[Unknown], at: datetime) -> list[tuple[Unknown, Sent]]:
        """Return what left. A channel that fails rests; what it was not asked about stays due."""
        found: list[tuple[Unknown, Sent]] = []
        try:
            async with self._places, asyncio.timeout(ASK_SECONDS), self._senders.use(channel_id) as sender:
                tells: Any = sender
                async with tells.settling() as settled:
                    for each in due:
                        self._looks[each.key] = (self._looks[each.key][0] + 1, at)
                        sent: Sent | None = await settled(each.reply_id)
                        if sent is not None:
                            found.append((each, sent))
        except (SendError, LookupError, TimeoutError) as error:
            self._failed(channel_id, at)
            log.info("replies_not_settled", channel_id=channel_id, reason=str(error) or "no answer in time")
        except Exception as error:  # a sender that cannot be opened tells so when something is to be sent
            self._failed(channel_id, at)
            log.error("settling_failed", error, channel_id=channel_id)
        else:
            self.forget(channel_id)
        return found

    def _failed(self, channel_id: UUID, at: datetime) -> None:
        self._failures[channel_id] = (self._failures.get(channel_id, (0, at))[0] + 1, at)


def _pause(pauses: Sequence[float], number: int) -> timedelta:
    return timedelta(seconds=pauses[min(number, len(pauses) - 1)])
