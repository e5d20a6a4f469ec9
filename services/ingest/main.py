"""The ingest service: webhooks, polling receivers, re-reading. A background task that fails ends the process loudly."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from uuid import UUID, uuid4

from starlette.routing import Route

from services.ingest.directory import Directory
from services.ingest.fetch import Fetcher
from services.ingest.fetch_queue import FetchQueue
from services.ingest.health import HealthReports
from services.ingest.kept_settings import KeptSettings
from services.ingest.lease import Lease
from services.ingest.publish import ChannelInlet
from services.ingest.reconcile import Reconciler, Reconciling
from services.ingest.retries import Retries
from services.ingest.supervise import Supervisor
from services.ingest.webhooks import Webhooks
from shared.blobs import Blobs
from shared.connector import Channel, Inlet, Kind, kinds, load
from shared.database.protocol import Database
from shared.registry.channels import ChannelRegistry
from shared.registry.cursors import DatabaseCursor
from shared.settings import Settings
from shared.transport.protocol import Transport


class Ingest:
    """Channel -> transport. Tables of the registry must exist; the transport is started by whoever made it."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        transport: Transport,
        registry: ChannelRegistry,
        blobs: Blobs,
        load: Callable[[str], Kind] = load,
        kinds: Callable[[], Iterable[str]] = kinds,
    ) -> None:
        self._database, self._blobs = database, blobs
        self._publisher = transport.publisher()
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._directory = Directory(registry)
        self._health = HealthReports(database)
        self._kept = KeptSettings(registry)
        self._fetches = FetchQueue(database)
        self._fetcher = Fetcher(self._fetches, self._directory, load, blobs, self._publisher)
        reconciler = Reconciler(self._publisher, blobs, self._fetches)
        self._reconciling = Reconciling(database, self._directory, load, reconciler)
        self._alone, self._public_url = settings.embedded, settings.public_url
        self._retries = Retries(transport, self._publisher, self._directory, load, blobs, self._fetches)
        self._supervisor = Supervisor(self._directory, load, self._inlet, self._lease, self._health, self._kept)
        self._tasks: list[asyncio.Task[None]] = []
        self.routes: list[Route] = Webhooks(self._directory, load, self._inlet).routes(kinds())

    async def start(self) -> None:
        """Read the channels and begin. Raises DatabaseUnavailable."""
        await self._directory.load()
        parts = {
            "ingest-channels": self._directory.run(),
            "ingest-health": self._health.run(),
            "ingest-receivers": self._supervisor.run(),
            "ingest-retries": self._retries.run(),
            "ingest-files": self._fetcher.run(alone=self._alone),
            "ingest-history": self._reconciling.run(),
        }
        self._tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]

    async def run(self) -> None:
        """Wait while everything works; raise what a background task raised."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """End receivers and give back their leases."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._health.write()

    def ready(self) -> str | None:
        """Return None when ready, else what is missing."""
        if not self._tasks:
            return "ingest has not started"
        for task in self._tasks:
            if task.done():
                return f"{task.get_name()} has stopped"
        return None if self._directory.stale_since is None else "the registry of channels cannot be read"

    def _inlet(self, channel: Channel, kind: Kind) -> Inlet:
        cursor = DatabaseCursor(self._database, channel.id)
        to = self._publisher, self._blobs, self._health, self._kept, self._fetches, self._public_url
        return ChannelInlet(channel, kind.parse, cursor, *to)

    def _lease(self, channel_id: UUID) -> Lease:
        return Lease(self._database, channel_id, self._owner)
