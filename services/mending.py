"""Shows what was passed over as it could not be read, once it can be: after an upgrade, or when its bytes are back.

What other services were not told of it is told first; then the read models are made anew beside the live ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial

from services.privacy import told_again
from services.projector.rebuild import Wanted, rebuild
from services.projector.relay import outbox_of
from shared.database.protocol import Conflict, Database, DatabaseUnavailable, Occupied, Transaction
from shared.domain import events as e
from shared.event_store.log import read_positions
from shared.event_store.mapper import EventUnreadable
from shared.keys.pages import WrongKeyStore
from shared.logs import Log
from shared.read_models import holes
from shared.said import said
from shared.transport.protocol import Publisher, TransportUnavailable

LEAD = "mending"
LOOK_SECONDS = 60.0
REST_SECONDS = 600.0
"""After a rebuild: what comes to be read little by little is shown together."""
LONGEST_SECONDS = 3600.0
"""Between tries that fail: each may have read all of the log and written all read models."""
BATCH = 100
_TOLD = (e.ReplyRequested, e.ActionRequested, e.ReplyRetried, e.QuarantineRetried)
WAITS = (DatabaseUnavailable, TransportUnavailable, Occupied, Conflict, WrongKeyStore, EventUnreadable)
log = Log("projector")


class Mending:
    """Runs in one process at a time."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database, self._publisher = database, publisher
        self._failures = 0

    def work(self) -> Sequence[Coroutine[None, None, None]]:
        return (self._run(),)

    async def _run(self) -> None:
        while True:
            pause = await self._attempt()
            await asyncio.sleep(pause)

    async def _attempt(self) -> float:
        """Return the seconds to the next one."""
        try:
            mended = await mend(self._database, self._publisher)
        except WAITS as error:
            self._failures += 1
            log.warning("mending_waits", error=said(error)[:500])
            return min(LONGEST_SECONDS, LOOK_SECONDS * 2.0 ** min(self._failures, 20))
        self._failures = 0
        return REST_SECONDS if mended else LOOK_SECONDS


async def mend(database: Database, publisher: Publisher) -> int:
    """Show all that can be read by now; return how much that was. May be repeated after a crash anywhere.

    Raises WAITS: Occupied while another rebuild runs.
    """
    mended = await _readable(database)
    if mended:
        log.info("readable_again", events=len(mended))
        await told_again.tell(database, publisher)
        await rebuild(database, Wanted(afresh=True))
        still = set(await _readable(database))
        await database.write(partial(holes.forget, positions=[each for each in mended if each in still]))
    return len(mended)


async def _readable(database: Database) -> list[int]:
    found, after = list[int](), 0
    while some := await database.read(partial(holes.noted, after=after, limit=BATCH)):
        found += await database.read(partial(_can_be_read, noted=some))
        after = some[-1].position
    return found


def _can_be_read(tx: Transaction, noted: Sequence[holes.Hole]) -> list[int]:
    return [hole.position for hole in noted if _is_whole(tx, hole.position)]


def _is_whole(tx: Transaction, position: int) -> bool:
    """Whether an event can be read, and all that is needed to tell of it."""
    try:
        events = read_positions(tx, [position])
        outbox_of(tx, [recorded for recorded in events if isinstance(recorded.event, _TOLD)])
    except EventUnreadable:
        return False
    return True
