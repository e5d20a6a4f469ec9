"""Follows the log into the read models, and turns due snoozes into events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from services.projector.rebuild import drop_abandoned, rebuild_outdated
from shared.clock import from_text, now, to_text
from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.domain import commands as c
from shared.domain.events import Actor
from shared.event_store.log import head
from shared.event_store.mapper import EventUnreadable
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.logs import Log
from shared.pace import Pace
from shared.read_models import conversations, holes, live
from shared.said import said

BATCH = 500
BRIEF_BATCH = 200
"""SQLite applies events on the event loop, some 20 ms at most."""
ROUND_SECONDS = 0.04
IDLE_SECONDS = 5.0
OUTAGE_SECONDS = 1.0
SNOOZE_SECONDS = 5.0
TIDY_SECONDS = 3600.0
log = Log("projector")


async def follow(database: Database, store: EventStore) -> None:
    """Keep the live read models at the log's head until cancelled; first rebuild those of an older version.

    On SQLite they are mostly there already: whoever records applies what follows without a gap (`live.take_in_next`).
    """
    await rebuild_outdated(database)
    listener, pace = store.listen(), Pace(ROUND_SECONDS)
    shown_by_others = database.dialect == "sqlite"
    batch = BRIEF_BATCH if shown_by_others else BATCH
    position: int | None = None
    is_whole = False
    while True:
        await pace.keep()
        try:
            if position is None or shown_by_others:
                standing = await database.read(_standing, brief=True)
                position, is_whole = standing
            events = [] if is_whole else await store.after(position, batch)
            if events:
                await database.write(partial(live.take_in, events=events), brief=True)
                position = events[-1].position
                _tell_of(holes.of(events))
            else:
                await listener.wait(IDLE_SECONDS)
            is_whole = False
        except (DatabaseUnavailable, WrongKeyStore) as error:
            log.warning("follow_waiting", error=said(error)[:500])
            position = None
            await asyncio.sleep(OUTAGE_SECONDS)


def _standing(tx: Transaction) -> tuple[int, bool]:
    """Return how far the read models are, and whether that is all of the log."""
    position = live.position(tx)
    return position, position >= head(tx)


def _tell_of(passed_over: Sequence[holes.Hole]) -> None:
    """Everything else goes on; `services/mending` shows them once they can be read."""
    for hole in passed_over:
        log.error("event_passed_over", position=hole.position, why=hole.why)


async def tidy_rebuilds(database: Database) -> None:
    """Drop what abandoned rebuilds have left, until cancelled."""
    while True:
        try:
            if dropped := await drop_abandoned(database, now()):
                log.info("abandoned_rebuild_dropped", tables=len(dropped))
        except DatabaseUnavailable as error:
            log.warning("tidying_waits", error=said(error)[:500])
        await asyncio.sleep(TIDY_SECONDS)


async def wake_snoozed(database: Database, store: EventStore) -> None:
    """Reopen conversations whose time has come, until cancelled; one that cannot be read waits until it can."""
    while True:
        stuck = False
        try:
            for conversation_id in await database.read(lambda tx: conversations.due_snoozes(tx, to_text(now()))):
                stuck |= not await _end_snooze(store, conversation_id)
            upcoming = None if stuck else await database.read(conversations.next_snooze)
        except DatabaseUnavailable as error:
            log.warning("snoozes_waiting", error=said(error)[:500])
            upcoming = None
        await asyncio.sleep(_until(upcoming))


async def _end_snooze(store: EventStore, conversation_id: UUID) -> bool:
    """Return False for one that cannot be read: it is due at every look."""
    try:
        await store.handle(conversation_id, c.EndSnooze(now()), Actor("system"))
    except EventUnreadable:
        return False
    return True


def _until(upcoming: str | None) -> float:
    if upcoming is None:
        return SNOOZE_SECONDS
    return min(SNOOZE_SECONDS, max(0.05, (from_text(upcoming) - now()).total_seconds()))
