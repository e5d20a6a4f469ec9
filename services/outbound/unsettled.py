"""Asks again about replies of unknown fate, where a channel can tell later (a mail in the Sent folder) that they left.

Only a "sent" comes of it: that nothing is found proves nothing. A channel that cannot be asked delays no other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.outbound.ledger import Ledger, Unknown
from services.outbound.senders import Senders
from shared.clock import now
from shared.connector import SendError, Sent
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.said import said

LOOK_SECONDS = 15.0
PAUSES_SECONDS = (30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""After the loss, after the first look, ...; the last one repeats."""
RESTS_SECONDS = (30.0, 60.0, 120.0, 300.0, 900.0)
"""Of a channel that failed to tell, after the first failure in a row, the second, ...; the last one repeats."""
GIVE_UP_AFTER = timedelta(hours=24)
AT_ONCE = 20
"""Replies that one channel is asked about in one look."""
CHANNELS_AT_ONCE = 8
PLACE_SECONDS = 5.0
"""Who answers no sooner holds no other up: it is still waited for, but its place is free."""
ASK_SECONDS = 60.0
log = Log("outbound")


class AskAgain:
    """Runs until cancelled; `settled` is set when a fate became known."""

    def __init__(self, ledger: Ledger, senders: Senders, settled: asyncio.Event) -> None:
        self._ledger, self._senders, self._settled = ledger, senders, settled
        self._looks: dict[tuple[UUID, int], tuple[int, datetime]] = {}
        self._failures: dict[UUID, tuple[int, datetime]] = {}
        self._places = asyncio.Semaphore(CHANNELS_AT_ONCE)
        self._asking: set[UUID] = set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    for asking in await self.look(now()):
                        tasks.create_task(asking)
                except DatabaseUnavailable as error:
                    log.warning("ledger_unavailable", reason=said(error))

    async def look(self, at: datetime) -> list[Coroutine[Any, Any, None]]:
        """Return what asks about all that is due at this moment, one for each channel: each must be run.

        Those that failed to tell come last. Raises DatabaseUnavailable.
        """
        able = [id_ for id_, each in self._senders.channels.items() if each.state == "active" and self._can_tell(id_)]
        unknown = await self._ledger.unknown(able, at - GIVE_UP_AFTER)
        self._looks = {each.key: self._looked(each) for each in unknown}
        due = self._due(unknown, at)
        self._asking |= due.keys()
        order = sorted(due, key=lambda channel_id: self._failures.get(channel_id, (0, at))[0])
        return [self._ask(channel_id, due[channel_id], at) for channel_id in order]

    def forget(self, channel_id: UUID) -> None:
        """Ask a channel at the next look: it was changed."""
        self._failures.pop(channel_id, None)

    def _can_tell(self, channel_id: UUID) -> bool:
        kind = self._senders.kind(channel_id)
        return kind is not None and kind.capabilities.tells_later

    def _due(self, unknown: Sequence[Unknown], at: datetime) -> dict[UUID, list[Unknown]]:
        """Return what each channel is to be asked about, what was not looked at for longest first."""
        due: dict[UUID, list[Unknown]] = defaultdict(list)
        for each in sorted(unknown, key=lambda each: self._looked(each)[1]):
            channel_id = each.channel_id
            if self._is_due(each, at) and self._is_free(channel_id, at) and len(due[channel_id]) < AT_ONCE:
                due[channel_id].append(each)
        return due

    def _looked(self, each: Unknown) -> tuple[int, datetime]:
        """Return how often it was asked about and when last."""
        return self._looks.get(each.key, (0, each.since))

    def _is_due(self, each: Unknown, at: datetime) -> bool:
        looks, last = self._looked(each)
        return at - last >= _pause(PAUSES_SECONDS, looks)

    def _is_free(self, channel_id: UUID, at: datetime) -> bool:
        """Whether a channel neither rests nor is being asked."""
        failed = self._failures.get(channel_id)
        rests = failed is not None and at - failed[1] < _pause(RESTS_SECONDS, failed[0] - 1)
        return not rests and channel_id not in self._asking

    async def _ask(self, channel_id: UUID, due: Sequence[Unknown], at: datetime) -> None:
        """Ask one channel and write what it tells. What cannot be written is asked about at the next look."""
        before, found = {each.key: self._looked(each) for each in due}, list[tuple[Unknown, Sent]]()
        try:
            found = await self._asked(channel_id, due, at)
            while found:
                await self._settle(*found[0])
                del found[0]
        except DatabaseUnavailable as error:
            self._looks |= {each.key: before[each.key] for each, _ in found}
            log.warning("ledger_unavailable", reason=said(error))
        finally:
            self._asking.remove(channel_id)

    async def _settle(self, each: Unknown, sent: Sent) -> None:
        if await self._ledger.settle_unknown(each, sent):
            log.info("reply_settled", reply_id=each.reply_id, attempt=each.attempt)
            self._settled.set()

    async def _asked(self, channel_id: UUID, due: Sequence[Unknown], at: datetime) -> list[tuple[Unknown, Sent]]:
        """Return what left. A channel that fails rests; what it was not asked about stays due."""
        found: list[tuple[Unknown, Sent]] = []
        try:
            async with self._place(), asyncio.timeout(ASK_SECONDS), self._senders.use(channel_id) as sender:
                tells: Any = sender
                async with tells.settling() as settled:
                    for each in due:
                        self._looks[each.key] = (self._looked(each)[0] + 1, at)
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

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Take a place, for some seconds at most."""
        await self._places.acquire()
        leaving = asyncio.get_running_loop().create_future()
        leaving.add_done_callback(lambda _: self._places.release())
        timer = asyncio.get_running_loop().call_later(PLACE_SECONDS, leaving.cancel)
        try:
            yield
        finally:
            timer.cancel()
            leaving.cancel()

    def _failed(self, channel_id: UUID, at: datetime) -> None:
        self._failures[channel_id] = (self._failures.get(channel_id, (0, at))[0] + 1, at)


def _pause(pauses: Sequence[float], number: int) -> timedelta:
    return timedelta(seconds=pauses[min(number, len(pauses) - 1)])
