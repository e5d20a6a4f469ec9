"""The part of the projector's process that forgets: in one of them at a time, when asked, and by the rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial

from services.house import House
from services.privacy import retention
from services.privacy.erased_again import erase_again
from services.privacy.job import carry_out
from services.privacy.stores import Stores
from shared.database.protocol import Conflict, DatabaseUnavailable
from shared.log_words import masked
from shared.logs import Log
from shared.registry import erasures
from shared.said import said, said_with_kind
from shared.transport.look import look
from shared.transport.protocol import Transport, TransportUnavailable

RULES_SECONDS = 3600.0
IDLE_SECONDS = 30.0
AGAIN_SECONDS = 1.0
LONGEST_SECONDS = 600.0
PROBLEM_CHARACTERS = 500
WAITS = (DatabaseUnavailable, TransportUnavailable, Conflict)
log = Log("privacy")


def stores_of(house: House, transport: Transport) -> Stores:
    return Stores(
        house.database, house.store, house.keys, house.wire_keys, house.blobs, transport,
        partial(look, house.settings, house.database), house.settings.secret_key,
        house.settings.data,
    )  # fmt: skip


class Privacy:
    """What the one process that leads in it does, until cancelled."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._rules_at, self._failures = float("-inf"), 0

    def work(self) -> Sequence[Coroutine[None, None, None]]:
        return (self._forget(),)

    async def _forget(self) -> None:
        listener = self._stores.database.listen(erasures.TOPIC)
        while True:
            pause = await self._attempt()
            await (asyncio.sleep(pause) if pause else listener.wait(IDLE_SECONDS))

    async def _attempt(self) -> float:
        """Do what can be done; return the seconds after which the rest is to be tried again, 0 when there is none.

        Whatever goes wrong is told to those who look at the erasures: only they can do something about it, and the
        other parts of the process have nothing to do with it.
        """
        try:
            try:
                waiting = await self._once()
            except WAITS:
                raise
            except Exception as error:
                return await self._failed(error)
            self._failures = 0
            await erasures.tell(self._stores.database, "")
        except WAITS as error:
            log.warning("erasures_wait", reason=said(error)[:500])
            return await self._waited(error)
        return AGAIN_SECONDS if waiting else 0.0

    async def _waited(self, error: Exception) -> float:
        """Who looks at the erasures is told what they wait for, unless it is the database that would tell."""
        with suppress(*WAITS):
            await erasures.tell(self._stores.database, _told(error))
        return AGAIN_SECONDS

    async def _failed(self, error: Exception) -> float:
        """Return the seconds of the pause, which grows: each try may read all of the log."""
        self._failures += 1
        pause = pause_after(self._failures)
        log.error("erasures_failed", error, tries=self._failures, again_in_seconds=pause)
        await erasures.tell(self._stores.database, _told(error))
        return pause

    async def _once(self) -> int:
        """Return how many erasures are under way."""
        database = self._stores.database
        if time.monotonic() - self._rules_at > RULES_SECONDS or await database.read(retention.has_new_rule):
            await database.write(retention.due)
            await self._stores.wire_keys.destroy_old()
            erased = await asyncio.to_thread(self._stores.keys.pages.erased)
            await database.write(partial(erase_again, erased=erased))  # an older copy may have come back
            self._rules_at = time.monotonic()
        return await carry_out(self._stores)


def _told(error: Exception) -> str:
    return masked(said_with_kind(error))[:PROBLEM_CHARACTERS]


def pause_after(failures: int) -> float:
    """Return the seconds to the next try."""
    return min(LONGEST_SECONDS, AGAIN_SECONDS * 2.0 ** min(failures, 20))
