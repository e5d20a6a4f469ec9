"""Channels that cannot send at present (login refused, too many requests): they rest, and say what is wrong.

What waits for a resting channel is not taken at all; after that one reply at a time finds out if it works again.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from uuid import UUID

from shared.database.protocol import Conflict, Database, DatabaseUnavailable
from shared.refusals import refused_seconds
from shared.registry import health

ROLE = "send"


class Pauses:
    """Which channels rest, in this process; `steady` gives monotonic seconds."""

    def __init__(self, database: Database, steady: Callable[[], float] = time.monotonic) -> None:
        self._database, self._steady = database, steady
        self._until: dict[UUID, float] = {}
        self._failures: dict[UUID, int] = {}
        self._busy: set[UUID] = set()
        self._problems: dict[UUID, str] = {}
        self._told: dict[UUID, str] = {}

    def rests(self, channel_id: UUID) -> bool:
        return self._steady() < self._until.get(channel_id, 0.0)

    def on_trial(self, channel_id: UUID) -> bool:
        """Whether the channel failed as a whole last time: one reply at a time finds out if it is mended."""
        return channel_id in self._failures or channel_id in self._busy

    def left(self) -> float:
        """Return the seconds until the next channel has rested; infinite when none rests."""
        at = self._steady()
        return min((until - at for until in self._until.values() if until > at), default=math.inf)

    def broken(self, channel_id: UUID, problem: str) -> None:
        """Those that were tried at the same time count once: the account has been refused, not each of them."""
        self._problems[channel_id] = problem
        if channel_id in self._failures and self.rests(channel_id):
            return
        failures = self._failures[channel_id] = self._failures.get(channel_id, 0) + 1
        chance = random.random()  # noqa: S311 (spread, not secrecy)
        self._until[channel_id] = self._steady() + refused_seconds(failures, chance)

    def busy(self, channel_id: UUID, seconds: float, problem: str) -> None:
        """The provider wants a pause from the whole channel."""
        self._until[channel_id] = max(self._steady() + seconds, self._until.get(channel_id, 0.0))
        self._busy.add(channel_id)
        self._problems[channel_id] = problem

    def works(self, channel_id: UUID, *, said: bool = True) -> None:
        """`said`: it was a message; a change of one may pass while messages may not."""
        if channel_id in self._busy and not said:
            return
        self._problems[channel_id] = ""
        self.forget(channel_id)

    def forget(self, channel_id: UUID) -> None:
        """The channel was changed: try it at once."""
        self._until.pop(channel_id, None)
        self._failures.pop(channel_id, None)
        self._busy.discard(channel_id)

    async def tell(self) -> None:
        """Write the problems that changed; while the database is away they stay to be written."""
        for channel_id, problem in list(self._problems.items()):
            if self._told.get(channel_id) == problem:
                continue
            try:
                await health.report(self._database, channel_id, ROLE, problem, None, None)
            except (DatabaseUnavailable, Conflict):
                return
            self._told[channel_id] = problem
