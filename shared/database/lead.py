"""What one process at a time does, for as long as it is this one; when the lead is lost, it is sought again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from shared.database.protocol import Database, DatabaseUnavailable
from shared.logs import Log

AGAIN_SECONDS = 1.0
log = Log("database")


async def lead_forever(
    database: Database, name: str, work: Callable[[], Sequence[Coroutine[None, None, None]]]
) -> None:
    """Run what `work` returns whenever this process leads, until cancelled. Raises what breaks it, as a group.

    Why it cannot lead is told once an outage: it tries each second, for as many things as a process leads.
    """
    told = ""
    while True:
        try:
            async with database.leadership(name) as watch, asyncio.TaskGroup() as group:
                log.info("leading", what=name)
                told = ""
                group.create_task(_run(watch))
                for part in work():
                    group.create_task(part)
        except* DatabaseUnavailable as errors:
            if (why := str(errors.exceptions[0])[:500]) != told:
                log.warning("lead_lost", what=name, error=why)
            told = why
        await asyncio.sleep(AGAIN_SECONDS)


async def _run(watch: Callable[[], Awaitable[None]]) -> None:
    await watch()
