"""The channels as this process knows them: read from the registry, again whenever it says so, and every few seconds."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.registry.channels import ChannelRegistry, Registered
from shared.said import said

SLOW_SECONDS = 5.0
QUICK_SECONDS = 0.25
"""Reads follow each other no faster, whatever wakes them: on SQLite every commit of the file does."""
AGAIN_SECONDS = 1.0
log = Log("ingest.directory")


class Directory:
    """`load` before use; `run` keeps it fresh."""

    def __init__(self, registry: ChannelRegistry) -> None:
        self._registry = registry
        self._channels: tuple[Registered, ...] = ()
        self._by_name: dict[tuple[str, str], Registered] = {}
        self._changed = asyncio.Event()
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self.stale_since: float | None = None
        """Monotonic time since which the registry could not be read; None while it can."""

    @property
    def channels(self) -> tuple[Registered, ...]:
        return self._channels

    def known(self, kind: str, id_or_name: str) -> Registered | None:
        """Return a channel of a kind by id or name, as last read."""
        return self._by_name.get((kind, id_or_name))

    def by_id(self, channel_id: UUID) -> Registered | None:
        return next((each for each in self._channels if each.channel.id == channel_id), None)

    async def load(self) -> None:
        """Read the registry. Raises DatabaseUnavailable; then the last view stands."""
        channels = tuple(await self._registry.all())
        if channels != self._channels:
            self._channels = channels
            by_name = {(each.channel.kind, each.channel.name): each for each in channels}
            self._by_name = by_name | {(each.channel.kind, str(each.channel.id)): each for each in channels}
            self._changed.set()

    async def reread(self) -> None:
        """Return once the registry was read after this call; any number of callers share one read in QUICK_SECONDS."""
        asked = time.monotonic()
        async with self._reading:
            if self._read_at >= asked:
                return
            await asyncio.sleep(max(0.0, self._read_at + QUICK_SECONDS - time.monotonic()))
            started = time.monotonic()
            await self.load()
            self._read_at = started

    async def changed(self) -> None:
        """Wait until the channels differ from those at the last call; for one waiter."""
        await self._changed.wait()
        self._changed.clear()

    async def run(self) -> None:
        """Keep the view fresh; while the database is away the last one stands."""
        listener = self._registry.listen()
        while True:
            try:
                await self.reread()
                self.stale_since = None
            except DatabaseUnavailable as error:
                if self.stale_since is None:
                    self.stale_since = time.monotonic()
                    log.warning("registry_unavailable", reason=said(error))
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            await listener.wait(SLOW_SECONDS)
