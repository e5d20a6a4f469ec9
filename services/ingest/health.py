"""How the channels fare, written behind: told as often as a receiver likes, written every 2 s at most."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.database.protocol import Database, DatabaseUnavailable
from shared.registry import health

ROLE = "receive"
WRITE_SECONDS = 2.0


@dataclass(slots=True)
class _Told:
    """What was last said of a channel. Not frozen: it is written once a message."""

    problem: str = ""
    lag: int | None = None
    received_at: datetime | None = None
    changed: bool = False


class HealthReports:
    """Collects reports; `run` writes what changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._told: dict[UUID, _Told] = {}
        self._something = asyncio.Event()

    def received(self, channel_id: UUID, at: datetime) -> None:
        told = self._of(channel_id)
        told.received_at = at
        self._changed(told)

    def report(self, channel_id: UUID, problem: str, lag: int | None = None) -> None:
        """`problem` empty: there is none. `lag` None: not known anew, the last one stands."""
        told = self._of(channel_id)
        told.problem = problem
        told.lag = told.lag if lag is None else lag
        self._changed(told)

    def problem(self, channel_id: UUID) -> str:
        """Return the problem last reported, empty when there is none."""
        return self._of(channel_id).problem

    async def run(self) -> None:
        while True:
            await self._something.wait()
            await self.write()
            await asyncio.sleep(WRITE_SECONDS)

    async def write(self) -> None:
        """Write what changed; while the database is away it stays to be written."""
        self._something.clear()
        for channel_id, told in [(id_, told) for id_, told in self._told.items() if told.changed]:
            told.changed = False
            try:
                await health.report(self._database, channel_id, ROLE, told.problem, told.lag, told.received_at)
            except DatabaseUnavailable:
                self._changed(told)

    def _of(self, channel_id: UUID) -> _Told:
        told = self._told.get(channel_id)
        if told is None:
            told = self._told[channel_id] = _Told()
        return told

    def _changed(self, told: _Told) -> None:
        if not told.changed:
            told.changed = True
            self._something.set()
