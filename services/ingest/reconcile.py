"""Fills holes from the provider's history: calls whose webhooks never came. What is known already stays as it is."""

from __future__ import annotations

import asyncio
import importlib.util
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.ingest.directory import Directory
from services.ingest.fetch_queue import FetchQueue
from services.ingest.publish import publish
from services.ingest.understand import understand
from shared.blobs import Blobs
from shared.clock import from_text, now
from shared.connector import PACKAGE, Channel, FetchDelayed, Kind, kinds, load
from shared.database.lead import lead_forever
from shared.database.protocol import Database, DatabaseUnavailable
from shared.logs import Log
from shared.parsed import RawItem
from shared.registry import health
from shared.registry.channels import Registered
from shared.said import said, said_with_kind
from shared.transport.protocol import Publisher, TransportUnavailable

EVERY_SECONDS = 900.0
SPAN, LONGEST = timedelta(hours=2), timedelta(days=1)
"""How far each look reaches back, and how far one may after we, or the provider's history, were not there."""
LOOK_SECONDS = 120.0
ROLE = "history"
log = Log("ingest.reconcile")


def why_no_history(channel: Channel) -> str:
    """Return why the provider cannot be asked what there was, in words for the person who asks; empty if it can."""
    if not has_history(channel.kind):
        return f"{channel.kind} has no history of a provider"
    why_none = getattr(load(channel.kind).module("history"), "why_none", None)
    return str(why_none(channel)) if why_none else ""


def has_history(kind: str) -> bool:
    """Return whether a kind can ask its provider what there was."""
    return kind in kinds() and importlib.util.find_spec(f"{PACKAGE}.{kind}.history") is not None


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What is needed to take in an item as its webhook would have."""

    publisher: Publisher
    blobs: Blobs
    fetches: FetchQueue

    async def items(self, channel: Channel, kind: Kind, since: datetime, until: datetime) -> list[RawItem]:
        """Return what the provider tells of that time. Raises FetchDelayed."""
        found: list[RawItem] = await kind.module("history").history(channel, since, until)
        return found

    async def all(self, channel: Channel, kind: Kind, since: datetime, until: datetime) -> int:
        """Take in everything of that time; return how much it was. Raises FetchDelayed, TransportUnavailable."""
        items = await self.items(channel, kind, since, until)
        for item in items:
            await self.take_in(channel, kind, item)
        return len(items)

    async def take_in(self, channel: Channel, kind: Kind, item: RawItem) -> None:
        """Return once the item is durable; one that is known already changes nothing."""
        understood = await understand(item, channel, kind.parse, self.blobs)
        await publish(self.publisher, understood, item.received_at, self.fetches)


class Reconciling:
    """Does it again and again, in one process at a time, until cancelled."""

    def __init__(
        self, database: Database, directory: Directory, load: Callable[[str], Kind], reconciler: Reconciler
    ) -> None:
        self._database, self._directory, self._load, self._reconciler = database, directory, load, reconciler
        self._told: dict[UUID, set[str]] = {}
        self._looked: dict[UUID, datetime] = {}

    async def run(self) -> None:
        await lead_forever(self._database, ROLE, lambda: (self._rounds(),))

    async def _rounds(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 (not for secrets)
            await self.round(now())

    async def round(self, until: datetime) -> None:
        """Look at every active channel whose kind has a history; what fails is told in its health."""
        active = [found for found in self._directory.channels if found.state == "active"]
        await asyncio.gather(*(self._look(each, until) for each in active if has_history(each.channel.kind)))

    def _since(self, found: Registered, until: datetime) -> datetime:
        """Return from when on something may be missing: a process that has just begun knows of no earlier look."""
        seen = self._looked.get(found.channel.id) or from_text(found.created_at)
        return min(until - SPAN, max(seen - SPAN, until - LONGEST))

    async def _look(self, found: Registered, until: datetime) -> None:
        problem, channel = "", found.channel
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._take_in_new(channel, self._since(found, until), until)
        except (FetchDelayed, TimeoutError, TransportUnavailable) as error:
            problem = f"the provider's history cannot be read: {error or 'no answer in time'}"
            log.warning("history_unread", channel_id=channel.id, error=said(error)[:500])
        except DatabaseUnavailable:
            raise
        except Exception as bug:  # what one provider answers must not stop the others
            problem = f"the provider's history cannot be understood: {said_with_kind(bug)}"
            log.error("history_failed", bug, channel_id=channel.id, kind=channel.kind)
        await health.report(self._database, channel.id, ROLE, problem, None, None)

    async def _take_in_new(self, channel: Channel, since: datetime, until: datetime) -> None:
        """What was taken in is not published again, so that a round out of time is gone on with by the next one."""
        kind, told = self._load(channel.kind), self._told.setdefault(channel.id, set())
        items = await self._reconciler.items(channel, kind, since, until)
        for item in items:
            if item.key not in told:
                await self._reconciler.take_in(channel, kind, item)
                told.add(item.key)
        self._told[channel.id], self._looked[channel.id] = {item.key for item in items}, until
