"""How far the read models are, and what changed: one reader of the log for all live connections of the process."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from shared.clock import now, to_text
from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.domain.events import Recorded
from shared.event_store.log import head, read_log
from shared.event_store.store import EventStore
from shared.logs import Log
from shared.pace import Pace
from shared.read_models import groups, live
from shared.said import said

KEPT = 5000
"""Changes kept in memory; who is further behind reads the log, or is told to load anew."""
BATCH = 500
ROUND_SECONDS = 0.01
IDLE_SECONDS = 5.0
log = Log("inbox_api")


@dataclass(frozen=True, slots=True)
class Change:
    """One event as the window hears of it; `frame` is its server-sent event."""

    position: int
    frame: bytes


class Views:
    """`run` keeps it current; `position` is what every GET made now would show."""

    def __init__(self, database: Database, store: EventStore) -> None:
        self._database, self._store = database, store
        self.position = 0
        self._changes: deque[Change] = deque(maxlen=KEPT)
        self._read_until = 0
        self._moved, self._advancing = asyncio.Condition(), asyncio.Lock()
        self.started = asyncio.Event()
        """Set once `position` is known."""
        self._looks = 0
        """How often somebody has begun to look how far the read models are."""
        self.watchers = self._waiting = 0
        self.switches, self.switched_at = -1, -1
        """How often the tables that are shown were exchanged for others, and at which position the last time."""
        self.ended = False
        """Whether the process ends: nobody waits for news any more."""

    async def run(self) -> None:
        listener, pace = self._database.listen(live.TOPIC), Pace(ROUND_SECONDS)
        while True:
            await pace.keep()
            try:
                if self.watchers or self._waiting or not self.started.is_set():
                    await self.advance()
                self.started.set()
            except DatabaseUnavailable as error:
                log.warning("views_waiting", error=said(error)[:500])
                await asyncio.sleep(1.0)
            await listener.wait(IDLE_SECONDS)

    async def end(self) -> None:
        """Let go whoever waits for news: the process could not end before them."""
        self.ended = True
        async with self._moved:
            self._moved.notify_all()

    async def reach(
        self, position: int, timeout_seconds: float = 5.0, unless: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait until the read models contain a position; False when they do not in time, or before `unless`."""

        async def reached() -> None:
            await self.advance()
            async with self._moved:
                await self._moved.wait_for(lambda: self.position >= position or unless())

        self._waiting += 1
        try:
            await asyncio.wait_for(reached(), timeout_seconds)
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return self.position >= position

    async def after(self, position: int) -> list[Change] | None:
        """Return the changes after a position in order; None when they are too many to send one by one."""
        if self._changes and self._changes[0].position <= position + 1:
            newer = itertools.takewhile(lambda change: change.position > position, reversed(self._changes))
            return list(newer)[::-1]
        if self.position - position > KEPT:
            return None
        return await self._database.read(partial(_read_changes, after=position, until=self.position))

    async def behind_seconds(self) -> float:
        """Return the age of the oldest event that the read models do not show yet."""
        waiting = await self._database.read(partial(_waiting_since, after=self.position))
        return (now() - waiting.recorded_at).total_seconds() if waiting else 0.0

    async def advance(self) -> None:
        """Look how far the read models are. Without watchers nobody else does: it would be work for nothing.

        Those who wait share a look: one that began after they asked tells them as much as one of their own would.
        """
        asked_at = self._looks
        async with self._advancing:
            if self._looks > asked_at:
                return
            self._looks += 1
            try:
                await self._advance()
            except BaseException:  # nobody learned anything: the next one looks
                self._looks -= 1
                raise

    async def _advance(self) -> None:
        position, (switches, switched_at) = await self._database.read(_shown, brief=True)
        if (position, switches) == (self.position, self.switches):
            return
        if self.watchers == 0:
            self._changes.clear()
            self._read_until = position
        while self._read_until < position:
            batch = await self._next(position)
            self._changes.extend(batch)
            self._read_until = batch[-1].position if batch else position
        async with self._moved:
            self.position, self.switches, self.switched_at = position, switches, switched_at
            self._moved.notify_all()

    async def _next(self, until: int) -> list[Change]:
        """Return the next changes; what this process has recorded itself need not be read and decoded again."""
        if recent := [r for r in self._store.recent(self._read_until, BATCH) if r.position <= until]:
            return await self._database.read(partial(_changes, events=recent), brief=True)
        return await self._database.read(partial(_read_changes, after=self._read_until, until=until), brief=True)


def _shown(tx: Transaction) -> tuple[int, tuple[int, int]]:
    return live.position(tx), live.last_switch(tx)


def _read_changes(tx: Transaction, after: int, until: int) -> list[Change]:
    return _changes(
        tx, [recorded for recorded in read_log(tx, after, BATCH, pass_over=True) if recorded.position <= until]
    )


def _changes(tx: Transaction, events: Sequence[Recorded]) -> list[Change]:
    customers = {str(id_) for recorded in events if (id_ := getattr(recorded.event, "customer_id", None))}
    stands_for = groups.roots(tx, customers)
    return [_change(recorded, stands_for) for recorded in events]


def _change(recorded: Recorded, stands_for: Mapping[str, str]) -> Change:
    """`customer_id` is who stands for the customer, as everywhere on the screen."""
    event: Any = recorded.event
    ids = {name: getattr(event, name, None) for name in ("conversation_id", "customer_id")}
    ids["customer_id"] = stands_for.get(str(ids["customer_id"]), ids["customer_id"])
    message_id = next((i for n in ("message_id", "reply_id", "note_id") if (i := getattr(event, n, None))), None)
    data = {
        "position": recorded.position,
        "type": type(event).__name__,
        **ids,
        "message_id": message_id,
        "kind": getattr(event, "kind", "call" if hasattr(event, "call") else None),
        "recorded_at": to_text(recorded.recorded_at),
    }
    frame = b"id: %d\nevent: change\ndata: %b\n\n" % (recorded.position, orjson.dumps(data))
    return Change(recorded.position, frame)


def _waiting_since(tx: Transaction, after: int) -> Recorded | None:
    if head(tx) <= after:
        return None
    return next(iter(read_log(tx, after, 1, pass_over=True)), None)
