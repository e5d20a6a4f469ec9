"""One supervised task for each polling channel: a receiver that fails is started again, and no other one notices."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from services.ingest.backoff import backoff_seconds
from services.ingest.directory import Directory
from services.ingest.health import HealthReports
from services.ingest.kept_settings import KeptSettings
from services.ingest.lease import Lease, LeaseLost
from services.ingest.metrics import RECEIVERS, RESTARTS, forget_lag
from shared.clock import now
from shared.connector import Channel, Inlet, Kind, Receiver, ReceiverRefused
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.refusals import refused_seconds
from shared.said import said, said_with_kind
from shared.transport.protocol import TransportUnavailable

GOOD_SECONDS = 60.0
"""A receiver that ran this long has recovered: its failures are forgotten."""
STOP_SECONDS = 10.0
EXPECTED = (OSError, TimeoutError, EOFError, TransportUnavailable, DatabaseUnavailable)
"""What happens to networks: logged without a traceback."""
log = Log("ingest.supervise")


class ReceiverEnded(Exception):
    """`Receiver.run` returned, which it must not."""


class Supervisor:
    """Starts and stops receivers as channels come and go."""

    def __init__(
        self,
        directory: Directory,
        load: Callable[[str], Kind],
        inlet: Callable[[Channel, Kind], Inlet],
        lease: Callable[[UUID], Lease],
        health: HealthReports,
        kept: KeptSettings,
        good_seconds: float = GOOD_SECONDS,
    ) -> None:
        self._directory, self._load, self._inlet, self._lease, self._health = directory, load, inlet, lease, health
        self._kept, self._good_seconds = kept, good_seconds
        self._running: dict[UUID, tuple[Channel, asyncio.Task[None]]] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._listening: set[UUID] = set()

    async def run(self) -> None:
        """Follow the directory until cancelled. A bug in the supervision itself is raised."""
        changes = asyncio.create_task(self._follow(), name="ingest-follow-channels")
        try:
            while True:
                tasks = {task for _, task in self._running.values()}
                done, _ = await asyncio.wait({changes, *tasks}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if not task.cancelled():  # a channel that was stopped meanwhile
                        task.result()
        finally:
            await _stopped(changes)
            await self._stop_all()

    async def _follow(self) -> None:
        while True:
            self._reconcile()
            await self._directory.changed()

    def _reconcile(self) -> None:
        wanted = {
            each.channel.id: each.channel
            for each in self._directory.channels
            if each.state == "active" and self._polls(each.channel)
        }
        for channel_id, (channel, _) in list(self._running.items()):
            shown = wanted.get(channel_id)
            if shown is None or not self._kept.knows(channel, shown):
                self._stop(channel_id)
        for channel in wanted.values():
            if channel.id not in self._running:
                self._start(channel)

    def _polls(self, channel: Channel) -> bool:
        try:
            polls = self._load(channel.kind).capabilities.receives_by in ("polling", "both")
        except (LookupError, ImportError) as error:
            self._health.report(channel.id, f"{channel.kind} channels cannot be used here: {error}")
            return False
        if not polls and channel.id not in self._listening:  # nobody else tells that a kind can be used again
            self._listening.add(channel.id)
            self._health.report(channel.id, "")
        return polls

    def _start(self, channel: Channel) -> None:
        earlier = {task for task in self._stopping if task.get_name() == str(channel.id)}
        task = asyncio.create_task(self._keep(channel, earlier), name=str(channel.id))
        self._running[channel.id] = channel, task

    def _stop(self, channel_id: UUID) -> None:
        _, task = self._running.pop(channel_id)
        task.cancel()
        self._kept.forget(channel_id)
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        if self._health.problem(channel_id):  # said here, or a process that has the lease may have said something
            self._health.report(channel_id, "")

    async def _stop_all(self) -> None:
        for channel_id in list(self._running):
            _, task = self._running.pop(channel_id)
            task.cancel()
            self._stopping.add(task)
        await asyncio.gather(*self._stopping, return_exceptions=True)

    async def _keep(self, channel: Channel, earlier: set[asyncio.Task[None]]) -> None:
        """Run one channel's receiver for as long as the channel is wanted."""
        if earlier:
            await asyncio.wait(earlier)
        failures, refusals, pause, lease = 0, 0, 0.0, self._lease(channel.id)
        while True:
            await lease.take()
            started = time.monotonic()
            try:
                await self._receive(self._kept.newest(channel), lease)
            except LeaseLost as error:
                log.warning("lease_lost", channel_id=channel.id, reason=said(error))
                self._health.forget_news(channel.id)
                continue
            except Exception as error:
                was_good = time.monotonic() - started >= self._good_seconds
                failures = 1 if was_good else failures + 1
                refusals = (0 if was_good else refusals) + isinstance(error, ReceiverRefused)
                pause = _pause(error, failures, refusals)
                self._tell(channel, error, failures, pause)
                if isinstance(error, ReceiverRefused):
                    await _keep_for(lease, pause)
                    continue
            finally:
                await self._hand_over(channel, lease)
            await asyncio.sleep(pause)

    async def _receive(self, channel: Channel, lease: Lease) -> None:
        """Receive while the lease lasts. Raises LeaseLost, or what the receiver raised."""
        tasks: list[asyncio.Task[None]] = []
        try:
            receiver = await self._make(channel)
            tasks = [asyncio.create_task(_run(receiver)), asyncio.create_task(lease.keep())]
            with RECEIVERS.labels(channel.kind).track_inprogress():
                await self._until_one_ends(channel.id, tasks)
        finally:
            for task in tasks:
                await _stopped(task, channel.id)
            forget_lag(channel)

    async def _hand_over(self, channel: Channel, lease: Lease) -> None:
        """Let another process have the channel and speak for it: what we say of it is written before, or never."""
        await self._health.write(channel.id)
        self._health.forget_news(channel.id)
        await lease.give_back()

    async def _until_one_ends(self, channel_id: UUID, tasks: list[asyncio.Task[None]]) -> None:
        problem = self._health.problem(channel_id)
        done, _ = await asyncio.wait(tasks, timeout=self._good_seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            self._forget(channel_id, problem)
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = done.pop()
        if ended.cancelled():
            raise ReceiverEnded("the receiver cancelled itself")
        ended.result()

    async def _make(self, channel: Channel) -> Receiver:
        kind = self._load(channel.kind)
        module = await asyncio.to_thread(kind.module, "receive")  # may import a large library
        receiver: Receiver = module.receiver(channel, self._inlet(channel, kind))
        return receiver

    def _tell(self, channel: Channel, error: Exception, failures: int, pause: float) -> None:
        RESTARTS.labels(channel.kind).inc()
        again = now() + timedelta(seconds=pause)
        when = f"; it is tried again at {again:%H:%M:%S} UTC, or as soon as the settings are changed"
        words = said(error)
        self._health.report(channel.id, words + when * isinstance(error, ReceiverRefused))
        fields = {"channel_id": channel.id, "kind": channel.kind, "failures": failures}
        if isinstance(error, EXPECTED):
            log.warning("receiver_failed", reason=said_with_kind(error), **fields)
        else:
            log.error("receiver_failed", error, **fields)

    def _forget(self, channel_id: UUID, problem: str) -> None:
        """A good minute: the problem of the last failure is over, unless the receiver tells of one itself."""
        if problem and self._health.problem(channel_id) == problem:
            self._health.report(channel_id, "")


def _pause(error: Exception, failures: int, refusals: int) -> float:
    """Return seconds; many where we are not let in: a provider that is asked again and again locks the account."""
    chance = random.random()  # noqa: S311 (spread, not secrecy)
    if isinstance(error, ReceiverRefused):
        return refused_seconds(refusals, chance)
    return backoff_seconds(failures, chance)


async def _keep_for(lease: Lease, seconds: float) -> None:
    """Rest and let no other process have the channel meanwhile: it would be refused as well."""
    with suppress(TimeoutError, LeaseLost):
        async with asyncio.timeout(seconds):
            await lease.keep()


async def _run(receiver: Receiver) -> None:
    await receiver.run()
    raise ReceiverEnded("the receiver stopped by itself")


async def _stopped(task: asyncio.Task[None], channel_id: UUID | None = None) -> None:
    """Cancel and wait; what does not end in time is left behind, so that it holds up nobody."""
    task.cancel()
    _, pending = await asyncio.wait({task}, timeout=STOP_SECONDS)
    if pending:
        log.error("receiver_does_not_stop", channel_id=channel_id)
    elif not task.cancelled():
        task.exception()  # taken note of: the reason to stop was another one
