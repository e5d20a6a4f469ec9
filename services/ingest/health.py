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
class _News:
    """What was said of a channel since it was last written. Not frozen: it is changed once a message."""

    problem: str | None = None
    lag: int | None = None
    received_at: datetime | None = None


class HealthReports:
    """Collects reports; `run` writes what is new. Of several processes the one that has the lease speaks last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._problems: dict[UUID, str] = {}
        self._news: dict[UUID, _News] = {}
        self._something = asyncio.Event()
        self._writing = asyncio.Lock()

    def received(self, channel_id: UUID, at: datetime) -> None:
        self._news_of(channel_id).received_at = at

    def report(self, channel_id: UUID, problem: str, lag: int | None = None) -> None:
        """`problem` empty: there is none. `lag` None: not known anew, the last one stands."""
        news = self._news_of(channel_id)
        news.problem = self._problems[channel_id] = problem
        news.lag = news.lag if lag is None else lag

    def problem(self, channel_id: UUID) -> str:
        """Return the problem last reported, empty when there is none."""
        return self._problems.get(channel_id, "")

    def forget_news(self, channel_id: UUID) -> None:
        """Write nothing that was said until now: another process may know better."""
        self._news.pop(channel_id, None)

    async def run(self) -> None:
        while True:
            await self._something.wait()
            await self.write()
            await asyncio.sleep(WRITE_SECONDS)

    async def write(self, of: UUID | None = None) -> None:
        """Write what is new, of one channel or of all; while the database is away it stays to be written."""
        async with self._writing:
            if of is None:
                self._something.clear()
            for channel_id in list(self._news) if of is None else [of]:
                if news := self._news.pop(channel_id, None):
                    await self._write(channel_id, news)

    async def _write(self, channel_id: UUID, news: _News) -> None:
        try:
            await health.report(self._database, channel_id, ROLE, news.problem, news.lag, news.received_at)
        except DatabaseUnavailable:
            newer = self._news_of(channel_id)
            newer.problem = news.problem if newer.problem is None else newer.problem
            newer.lag = news.lag if newer.lag is None else newer.lag
            newer.received_at = newer.received_at or news.received_at

    def _news_of(self, channel_id: UUID) -> _News:
        news = self._news.get(channel_id)
        if news is None:
            news = self._news[channel_id] = _News()
            self._something.set()
        return news
