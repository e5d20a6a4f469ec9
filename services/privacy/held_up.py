"""An erasure that comes upon an event which cannot be read waits alone: the others go on, and it is tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import msgspec

from shared.clock import from_text, now, to_text
from shared.database.protocol import Database
from shared.event_store.mapper import EventUnreadable
from shared.logs import Log
from shared.registry import erasures
from shared.registry.erasures import Erasure
from shared.said import said

PAUSE = timedelta(minutes=10)
"""To the next try: each may read all of the log."""
T = TypeVar("T")
log = Log("privacy")


async def tried(database: Database, erasure: Erasure, step: str, do: Callable[[], Awaitable[T]]) -> T | None:
    """Return what a step of one erasure returns, None where it cannot be done now: who looks at it is told why."""
    before = erasure.held_up.get(step)
    if before and now() < from_text(before["until"]):
        return None
    try:
        done = await do()
    except (EventUnreadable, msgspec.DecodeError) as error:
        problem = said(error)
        if before is None or before["problem"] != problem:
            log.warning("erasure_held_up", erasure_id=erasure.id, step=step, reason=problem)
        await erasures.hold_up(database, erasure, step, {"problem": problem, "until": to_text(now() + PAUSE)})
        return None
    if before:
        await erasures.hold_up(database, erasure, step, None)
    return done
