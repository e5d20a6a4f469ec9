"""Reads what is wanted of the log page by page and writes it, as far as the log goes when it begins."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

from services.export import apart
from services.export.apart import Written
from services.export.files import EventFile
from services.inbox_api.selection import Page, Selection, bounds, page
from shared.database.protocol import Database
from shared.keys.place import Place

BATCH = 1000


async def write_events(
    database: Database,
    wanted: Selection,
    file: EventFile,
    progress: Callable[[int, int], None],
    place: Place | None = None,
) -> Written:
    """Return what was written. Where reading is another process's work, it runs a page ahead of writing.

    `place`: where the database is, if child processes may read it too: then a long export uses two cores. Raises
    ChildEnded when one of them was killed.
    """
    first, until = await database.read(partial(bounds, wanted=wanted))
    if place is not None and apart.is_worth_it(wanted, until - first):
        written = await _in_thread(partial(apart.write_apart, place, wanted, (first, until), file, progress))
        file.end()
        return written
    ahead, count, more = asyncio.create_task(_page(database, wanted, first, until)), 0, first < until
    named, left_out = list[str](), 0
    try:
        while more:
            found = await ahead
            if more := found.more:
                ahead = asyncio.create_task(_page(database, wanted, found.until, until))
            file.add(found.events)
            count += len(found.events)
            left_out += len(found.left_out)
            named += found.left_out[: apart.MOST_NAMED - len(named)]
            progress(found.until - first, until - first)
    finally:
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)
    file.end()
    return Written(count, left_out, named)


async def _in_thread(write: Callable[[threading.Event], Written]) -> Written:
    """A cancelled export ends its children before it ends itself."""
    stop = threading.Event()
    writing = asyncio.ensure_future(asyncio.to_thread(write, stop))
    try:
        return await asyncio.shield(writing)
    finally:
        stop.set()
        await asyncio.gather(writing, return_exceptions=True)


async def _page(database: Database, wanted: Selection, after: int, until: int) -> Page:
    return await database.read(partial(page, wanted=wanted, after=after, limit=BATCH, until=until), brief=True)
