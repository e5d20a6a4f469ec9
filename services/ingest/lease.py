"""Keeps a channel's lease while its receiver runs: of several ingest processes one polls a channel."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from shared.database.protocol import Database, DatabaseUnavailable
from shared.registry.cursors import LEASE, give_back_lease, take_lease

LEASE_SECONDS = LEASE.total_seconds()


class LeaseLost(Exception):
    """Another process has the channel, or may have it: the lease could not be renewed in time."""


class Lease:
    """The lease of one channel for one owner."""

    def __init__(self, database: Database, channel_id: UUID, owner: str, seconds: float = LEASE_SECONDS) -> None:
        self._database, self._id, self._owner, self._seconds = database, channel_id, owner, seconds
        self._until = 0.0

    async def take(self) -> None:
        """Wait until the channel is ours."""
        while not await self._try():  # noqa: ASYNC110 (what is waited for happens in another process)
            await asyncio.sleep(self._seconds / 3)

    async def keep(self) -> None:
        """Renew until cancelled. Raises LeaseLost."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                async with asyncio.timeout_at(self._deadline()):
                    while not await self._renew():  # noqa: ASYNC110 (until the database is back)
                        await asyncio.sleep(self._seconds / 15)
            except TimeoutError as error:
                raise LeaseLost("the lease could not be renewed in time") from error

    async def give_back(self) -> None:
        """Let another process have the channel at once; without the database it has it when the lease runs out."""
        try:
            await give_back_lease(self._database, self._id, self._owner)
        except DatabaseUnavailable:
            return

    async def _try(self) -> bool:
        asked = time.monotonic()
        try:
            taken = await take_lease(self._database, self._id, self._owner)
        except DatabaseUnavailable:
            return False
        if taken:
            self._until = asked + self._seconds
        return taken

    async def _renew(self) -> bool:
        """Return False while the database is away. Raises LeaseLost when another process has the channel."""
        asked = time.monotonic()
        try:
            if not await take_lease(self._database, self._id, self._owner):
                raise LeaseLost("another process has the channel")
        except DatabaseUnavailable:
            return False
        self._until = asked + self._seconds
        return True

    def _deadline(self) -> float:
        """Stop a little before others may begin; in the event loop's time."""
        return asyncio.get_running_loop().time() + self._until - time.monotonic() - self._seconds / 15
