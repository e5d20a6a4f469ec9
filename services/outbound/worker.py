"""Sends what is due: a few replies of each channel at once, one after the other within a conversation.

Every try is in the ledger before and after; a slow channel fills its own places only.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from uuid import UUID

from services.outbound.attempt import SEND_SECONDS, interrupted, outcome, send
from services.outbound.ledger import LEASE, Claimed, Ledger, Outcome
from services.outbound.metrics import IN_FLIGHT, TRIES
from services.outbound.metrics import SEND_SECONDS as DURATION
from services.outbound.pauses import Pauses
from services.outbound.senders import Senders
from shared.clock import now
from shared.connector import ChannelDelayed, SenderBroken, SendRefused, Sent
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.said import said

PLACES = 4
"""Replies of one channel that are sent at once by one process."""
IDLE_SECONDS = 1.0
RENEW_SECONDS = LEASE.total_seconds() / 3
AGAIN_SECONDS = 0.5
GRACE_SECONDS = 10.0
GONE = "this channel is no longer connected, or cannot send"
log = Log("outbound")


class Worker:
    """`wake` when something may be due; `settled` is set when a fate was written."""

    def __init__(
        self, ledger: Ledger, senders: Senders, pauses: Pauses, alone: bool, send_seconds: float = SEND_SECONDS
    ) -> None:
        self._ledger, self._senders, self._pauses = ledger, senders, pauses
        self._alone, self._send_seconds = alone, send_seconds
        self._wake, self.settled = asyncio.Event(), asyncio.Event()
        self._sending: dict[asyncio.Task[None], Claimed] = {}
        self._claiming = False

    def wake(self) -> None:
        self._wake.set()

    async def recover(self, *, starting: bool) -> None:
        """Decide about replies whose sender died, or never heard of them: repeat where safe, else it is unknown.

        `starting` alone on the data: whoever was sending is dead, whatever its lease says.
        """
        while found := await self._ledger.abandoned(all_owners=starting and self._alone, in_hand=self._in_hand()):
            for claimed in found:
                kind = self._senders.kind(claimed.reply.channel_id)
                safe = kind is not None and kind.capabilities.repeat_is_safe
                await self._settle(claimed, interrupted(claimed, safe, now()))

    async def refuse_orphans(self, channels_as_of: datetime) -> None:
        """Fail what waited at that moment for channels that were removed or cannot send.

        A later reply may be for a channel that is newer than our view.
        """
        able = [id_ for id_ in self._senders.channels if self._can_send(id_)]
        if refused := await self._ledger.refuse_all_but(able, GONE, channels_as_of):
            log.warning("replies_without_channel", count=refused)
            self.settled.set()

    async def run(self) -> None:
        """Send until cancelled; while the database is away, wait. A bug outside the Senders is raised."""
        while True:
            self._raise_bugs()
            try:
                while await self._start_due():
                    pass
                await self._pauses.tell()
            except DatabaseUnavailable as error:
                log.warning("ledger_unavailable", reason=said(error))
                await asyncio.sleep(AGAIN_SECONDS)
            await _set_within(self._wake, min(IDLE_SECONDS, self._pauses.left()))

    async def keep(self) -> None:
        """Renew what is being sent and take over what others left, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                if self._sending:
                    await self._ledger.renew(list(self._sending.values()))
                await self.recover(starting=False)
            except DatabaseUnavailable as error:
                log.warning("ledger_unavailable", reason=said(error))

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Let what is being sent end; what does not is decided about at the next start."""
        if self._sending:
            _, pending = await asyncio.wait(self._sending, timeout=grace_seconds)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _start_due(self) -> int:
        """Claim and start what has a place; return how much."""
        self._wake.clear()
        places = self._places()
        self._claiming = True
        try:
            claimed = await self._ledger.claim(places) if places else []
        finally:
            self._claiming = False
        for each in claimed:
            task = asyncio.create_task(self._try(each), name=f"send-{each.reply.id}-{each.reply.attempt}")
            self._sending[task] = each
            task.add_done_callback(self._ended)
        IN_FLIGHT.set(len(self._sending))
        return len(claimed)

    def _in_hand(self) -> list[Claimed] | None:
        """Return what is being sent; None while a claim is under way, whose replies may be ours already."""
        return None if self._claiming else list(self._sending.values())

    def _places(self) -> dict[UUID, int]:
        free: dict[UUID, int] = {}
        for id_, found in self._senders.channels.items():
            if found.state == "active" and not self._pauses.rests(id_) and self._can_send(id_):
                free[id_] = 1 if self._pauses.on_trial(id_) else PLACES
        for claimed in self._sending.values():
            if claimed.reply.channel_id in free:
                free[claimed.reply.channel_id] -= 1
        return {id_: count for id_, count in free.items() if count > 0}

    def _can_send(self, channel_id: UUID) -> bool:
        kind = self._senders.kind(channel_id)
        return kind is not None and kind.capabilities.sends

    async def _try(self, claimed: Claimed) -> None:
        reply, started = claimed.reply, time.perf_counter()
        result = await send(self._senders, claimed, self._send_seconds)
        kind = (
            self._senders.channels[reply.channel_id].channel.kind if reply.channel_id in self._senders.channels else ""
        )
        DURATION.labels(kind).observe(time.perf_counter() - started)
        if isinstance(result, SenderBroken):
            self._pauses.broken(reply.channel_id, str(result))
        elif isinstance(result, ChannelDelayed):
            self._pauses.busy(reply.channel_id, result.rests_seconds, str(result))
        elif isinstance(result, Sent | SendRefused):
            self._pauses.works(reply.channel_id, said=reply.action == "message")
        ended = outcome(result, claimed, now())
        TRIES.labels(kind, ended.state).inc()
        await self._settle(claimed, ended)

    async def _settle(self, claimed: Claimed, ended: Outcome) -> None:
        """Write the outcome, however long the database is away: only this process knows it."""
        reply = claimed.reply
        while True:
            try:
                ours = await self._ledger.settle(claimed, ended)
                break
            except DatabaseUnavailable:
                await asyncio.sleep(AGAIN_SECONDS)
        if ours:
            log.info("reply_tried", reply_id=reply.id, attempt=reply.attempt, state=ended.state, tries=claimed.tries)
        else:
            log.error("reply_taken_over", reply_id=reply.id, attempt=reply.attempt, state=ended.state)
        if ended.state != "waiting":
            self.settled.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            self._sending.pop(task, None)
        self._wake.set()

    def _raise_bugs(self) -> None:
        for task in [task for task in self._sending if task.done()]:
            self._sending.pop(task, None)
            task.result()


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
