"""The part of the projector's process that forgets: in one of them at a time, when asked, and by the rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from functools import partial

from services.house import House
from services.privacy import retention
from services.privacy.job import Stores, carry_out
from services.privacy.restore import erase_again
from shared.database.protocol import DatabaseUnavailable, Transaction
from shared.keys.pages import WrongKeyStore
from shared.logs import Log
from shared.registry import erasures
from shared.transport.protocol import Transport, TransportUnavailable

RULES_SECONDS = 3600.0
IDLE_SECONDS = 30.0
AGAIN_SECONDS = 1.0
log = Log("privacy")


def stores_of(house: House, transport: Transport) -> Stores:
    return Stores(
        house.database, house.store, house.keys, house.wire_keys, house.blobs, transport, house.settings.secret_key,
        house.settings.data,
    )  # fmt: skip


class Privacy:
    """What the one process that leads in it does, until cancelled."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._rules_at = float("-inf")

    def work(self) -> Sequence[Coroutine[None, None, None]]:
        return (self._forget(),)

    async def _forget(self) -> None:
        listener = self._stores.database.listen(erasures.TOPIC)
        while True:
            try:
                waiting = await self._once()
            except (DatabaseUnavailable, TransportUnavailable, WrongKeyStore) as error:
                log.warning("erasures_wait", reason=str(error)[:500])
                waiting = 1
            await (asyncio.sleep(AGAIN_SECONDS) if waiting else listener.wait(IDLE_SECONDS))

    async def _once(self) -> int:
        """Return how many erasures are under way."""
        if time.monotonic() - self._rules_at > RULES_SECONDS or await self._stores.database.read(_has_new_rule):
            await self._stores.database.write(retention.due)
            await self._stores.wire_keys.destroy_old()
            erased = await asyncio.to_thread(self._stores.keys.pages.erased)
            await self._stores.database.write(partial(erase_again, erased=erased))  # an older copy may have come back
            self._rules_at = time.monotonic()
        return await carry_out(self._stores)


def _has_new_rule(tx: Transaction) -> bool:
    return tx.row("SELECT 1 FROM retention_rules WHERE done_until IS NULL LIMIT 1") is not None
