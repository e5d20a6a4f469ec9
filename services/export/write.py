"""Reads what is wanted of the log page by page and writes it, as far as the log goes when it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from services.export.files import EventFile
from services.inbox_api.selection import Page, Selection, bounds, page
from shared.database.protocol import Database

BATCH = 1000


async def write_events(
    database: Database, wanted: Selection, file: EventFile, progress: Callable[[int, int], None]
) -> int:
    """Return how many events were written. Where reading is another process's work, it runs a page ahead of writing."""
    first, until = await database.read(partial(bounds, wanted=wanted))
    ahead, count, more = asyncio.create_task(_page(database, wanted, first, until)), 0, first < until
    try:
        while more:
            found = await ahead
            if more := found.more:
                ahead = asyncio.create_task(_page(database, wanted, found.until, until))
            file.add(found.events)
            count += len(found.events)
            progress(found.until - first, until - first)
    finally:
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)
    file.end()
    return count


async def _page(database: Database, wanted: Selection, after: int, until: int) -> Page:
    return await database.read(partial(page, wanted=wanted, after=after, limit=BATCH, until=until), brief=True)
