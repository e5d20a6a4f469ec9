"""Follows the log with its hash chain: a link for what has come since the last one, at most every few seconds."""

from __future__ import annotations

import asyncio
from functools import partial

from shared.clock import now
from shared.database.protocol import Conflict, Database, DatabaseUnavailable, Transaction
from shared.event_store import chain
from shared.event_store.log import head
from shared.logs import Log
from shared.read_models import live
from shared.said import said

EVENTS = 500
"""A link covers so many at most."""
ROUND_SECONDS = 5.0
"""What is younger may not be linked yet: a link for every single event would cost as much as the event."""
CATCH_UP_SECONDS = 0.02
"""Between the links over an older log: whoever waits for the processor comes first."""
BEHIND_EVENTS = 1000
"""Read models further behind than this have the processor to themselves."""
log = Log("projector")


async def link_forever(database: Database, round_seconds: float = ROUND_SECONDS) -> None:
    """Keep the chain at the log's head, until cancelled. Another process that does the same is no harm."""
    while True:
        try:
            linked = 0 if await database.read(_is_behind, brief=True) else await link_next(database)
        except DatabaseUnavailable as error:
            log.warning("chain_waiting", error=said(error)[:500])
            linked = 0
        await asyncio.sleep(CATCH_UP_SECONDS if linked == EVENTS else round_seconds)


async def link_next(database: Database) -> int:
    """Add the next link; return how many events it covers."""
    link = await database.read(_next)
    if link is None:
        return 0
    try:
        await database.write(partial(chain.add, link=link))
    except Conflict:
        return 0
    return link.count


def _next(tx: Transaction) -> chain.Link | None:
    return chain.next_link(tx, chain.last_link(tx), EVENTS, now())


def _is_behind(tx: Transaction) -> bool:
    return head(tx) - live.position(tx) > BEHIND_EVENTS
