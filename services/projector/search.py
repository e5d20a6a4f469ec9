"""Follows the log into the search index, behind everybody else: what was just said is found a second later."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import NamedTuple

from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.event_store.log import head
from shared.event_store.recent import KEPT
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.logs import Log
from shared.pace import Pace
from shared.read_models import live
from shared.read_models.search import READ_MODEL
from shared.said import said

NAME = READ_MODEL.name
BATCH = 500
BRIEF_BATCH, BURST_BATCH = 120, 500
"""SQLite indexes on the event loop: some 4 ms, and 12 while much waits: each batch waits for its turn to write."""
BURST_EVENTS = 2500
"""A second: more is being recorded than a desk could ever read, and the processor is the intake's."""
PATIENCE_SECONDS = 8.0
PATIENCE_EVENTS = KEPT * 5 // 6
"""Those that are at hand: what has to be read from the log, opened and decoded costs twice as much to index."""
ROUND_SECONDS = 1.0
"""A batch costs the index as much as a few entries: what comes within a second is put there together."""
AFTER_SECONDS = 0.25
"""After the news themselves: the window is being told of them, and asks for what it shows; a telephone may ring."""
CATCH_UP_SECONDS = 0.02
IDLE_SECONDS = 5.0
OUTAGE_SECONDS = 1.0
BEHIND_EVENTS = 1000
"""Read models further behind than this have the processor to themselves."""
log = Log("projector")


async def index_forever(database: Database, store: EventStore, round_seconds: float = ROUND_SECONDS) -> None:
    """Keep the index at the log's head until cancelled."""
    listener, pace = store.listen(), Pace(round_seconds)
    while True:
        try:
            await pace.keep()
            if database.dialect == "sqlite":
                await _let_a_burst_pass(database, round_seconds)
            await _catch_up(database, store)
            if await listener.wait(IDLE_SECONDS):
                await asyncio.sleep(min(AFTER_SECONDS, round_seconds))
        except (DatabaseUnavailable, WrongKeyStore) as error:
            log.warning("index_waiting", error=said(error)[:500])
            await asyncio.sleep(OUTAGE_SECONDS)


async def _let_a_burst_pass(database: Database, round_seconds: float) -> None:
    """Return when no more comes than in an ordinary second, or too much waits already."""
    loop = asyncio.get_running_loop()
    before, until = 0, loop.time() + PATIENCE_SECONDS
    while loop.time() < until:
        waiting = (await database.read(_standing, brief=True)).waiting
        if waiting - before <= BURST_EVENTS or waiting >= PATIENCE_EVENTS:
            return
        before = waiting
        await asyncio.sleep(round_seconds)


async def _catch_up(database: Database, store: EventStore) -> None:
    """Take in what waits now; after each batch the others have their turn, however long it took."""
    standing = await database.read(_standing, brief=True)
    position, until = standing.position, standing.position + standing.waiting
    batch = _batch(standing.waiting) if database.dialect == "sqlite" else BATCH
    while position < until and not standing.is_busy:
        events = await store.after(position, batch)
        if not events:
            return
        await database.write(partial(live.take_in_apart, name=NAME, events=events), brief=True)
        await asyncio.sleep(CATCH_UP_SECONDS)
        standing = await database.read(_standing, brief=True)
        position = standing.position


def _batch(waiting: int) -> int:
    return BURST_BATCH if waiting > BURST_EVENTS else BRIEF_BATCH


class _Standing(NamedTuple):
    """How far the index is, how many events wait for it, and whether it leaves the processor to others."""

    position: int
    waiting: int
    is_busy: bool


def _standing(tx: Transaction) -> _Standing:
    """An index of an older version waits until it is rebuilt, as all tables are at start."""
    standing, end = live.standings(tx, names=[NAME])[NAME], head(tx)
    is_busy = end - live.position(tx) > BEHIND_EVENTS or standing.version != READ_MODEL.version
    return _Standing(standing.position, end - standing.position, is_busy)
