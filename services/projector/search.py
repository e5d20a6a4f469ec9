"""Follows the log into the search index, behind everybody else: what was just said is found a second later."""

from __future__ import annotations

import asyncio
from functools import partial

from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.event_store.log import head
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.logs import Log
from shared.pace import Pace
from shared.read_models import live
from shared.read_models.search import READ_MODEL

NAME = READ_MODEL.name
BATCH = 500
BRIEF_BATCH = 120
"""SQLite indexes on the event loop: some 10 ms."""
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
            await _catch_up(database, store)
            if await listener.wait(IDLE_SECONDS):
                await asyncio.sleep(min(AFTER_SECONDS, round_seconds))
        except (DatabaseUnavailable, WrongKeyStore) as error:
            log.warning("index_waiting", error=str(error)[:500])
            await asyncio.sleep(OUTAGE_SECONDS)


async def _catch_up(database: Database, store: EventStore) -> None:
    """After each batch the others have their turn, however long it took."""
    while await _next(database, store):  # noqa: ASYNC110 (nobody is waited for)
        await asyncio.sleep(CATCH_UP_SECONDS)


async def _next(database: Database, store: EventStore) -> bool:
    """Take in a batch; return whether there is more."""
    position, is_busy = await database.read(_standing, brief=True)
    if is_busy:
        return False
    batch = BRIEF_BATCH if database.dialect == "sqlite" else BATCH
    events = await store.after(position, batch)
    if events:
        await database.write(partial(live.take_in_apart, name=NAME, events=events), brief=True)
    return len(events) == batch


def _standing(tx: Transaction) -> tuple[int, bool]:
    """An index of an older version waits until it is rebuilt, as all tables are at start."""
    standing = live.standings(tx, names=[NAME])[NAME]
    is_busy = head(tx) - live.position(tx) > BEHIND_EVENTS or standing.version != READ_MODEL.version
    return standing.position, is_busy
