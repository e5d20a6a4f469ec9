"""The outbound service: replies in, fates out. A background task that fails ends the process loudly."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from uuid import uuid4

from starlette.routing import Route

from services.outbound.announce import Announcer
from services.outbound.deliver import Deliver
from services.outbound.ledger import SCHEMA, Ledger
from services.outbound.pauses import Pauses
from services.outbound.senders import Senders
from services.outbound.typing import ShowTyping
from services.outbound.unsettled import AskAgain
from services.outbound.worker import Worker
from shared.blobs import Blobs
from shared.clock import now
from shared.connector import Kind, load
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Database, DatabaseUnavailable, Listener
from shared.logs import Log
from shared.registry.channels import ChannelRegistry
from shared.registry.typing import Typing
from shared.said import said
from shared.settings import Settings
from shared.transport.protocol import Transport

__all__ = ["SCHEMA", "Outbound"]

LOOK_SECONDS = 5.0
QUICK_SECONDS = 0.25
"""The registry is read no faster than this, whatever wakes us: on SQLite every commit of the file does."""
log = Log("outbound")


class Outbound:
    """Transport -> channel. Tables (SCHEMA and the registry's) must exist; the transport is started by its maker."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        transport: Transport,
        registry: ChannelRegistry,
        blobs: Blobs,
        load: Callable[[str], Kind] = load,
    ) -> None:
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        publisher = transport.publisher()
        self._registry = registry
        self._ledger = Ledger(database, owner)
        self._senders = Senders(registry, load, blobs.get)
        self._pauses = Pauses(database)
        self._worker = Worker(self._ledger, self._senders, self._pauses, alone=settings.embedded)
        self._deliver = Deliver(transport, publisher, self._ledger, self._accepted)
        self._typing = ShowTyping(Typing(database), self._senders)
        self._announcer = Announcer(self._ledger, publisher, self._worker.settled)
        self._ask_again = AskAgain(self._ledger, self._senders, self._worker.settled)
        self._looking = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self.routes: list[Route] = []

    async def start(self) -> None:
        """Read the channels, decide about sends that were cut short, begin. Raises DatabaseUnavailable."""
        changes = self._registry.listen()  # before the first look: what is added meanwhile must not be missed
        await self._senders.load_channels()
        await self._worker.recover(starting=True)
        await self._look_at_channels()
        parts = {
            "outbound-channels": self._follow_channels(changes),
            "outbound-deliver": self._deliver.run(),
            "outbound-send": self._worker.run(),
            "outbound-keep": self._worker.keep(),
            "outbound-announce": self._announcer.run(),
            "outbound-typing": self._typing.run(),
            "outbound-ask-again": self._ask_again.run(),
        }
        self._tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]

    async def run(self) -> None:
        """Wait while everything works; raise what a background task raised."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Take nothing new, let what is being sent end, close the Senders."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._worker.stop()
        await self._senders.close()

    def ready(self) -> str | None:
        """Return None when ready, else what is missing."""
        if not self._tasks:
            return "outbound has not started"
        stopped = [task.get_name() for task in self._tasks if task.done()]
        return f"{stopped[0]} has stopped" if stopped else None

    async def _accepted(self, replies: Sequence[OutboundReply]) -> None:
        """A reply for a channel we do not know: the channel is newer than our view, or gone."""
        if any(reply.channel_id not in self._senders.channels for reply in replies):
            await self._look_at_channels()
        self._worker.wake()

    async def _look_at_channels(self) -> None:
        async with self._looking:
            as_of = now()
            for channel_id in await self._senders.load_channels():
                self._pauses.forget(channel_id)
                self._ask_again.forget(channel_id)
                await self._ledger.hurry(channel_id)
            await self._worker.refuse_orphans(as_of)

    async def _follow_channels(self, changes: Listener) -> None:
        while True:
            await changes.wait(LOOK_SECONDS)
            try:
                await self._look_at_channels()
                self._worker.wake()
            except DatabaseUnavailable as error:
                log.warning("registry_unavailable", reason=said(error))
            await asyncio.sleep(QUICK_SECONDS)
