"""That a lost attempt was sent is found while a further one is written down: whoever is second sees the first."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from services.outbound.ledger import Claimed, Ledger, Outcome, Unknown
from services.outbound.needless import SENT_BEFORE
from shared.connector import Sent
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Database, Transaction
from tests.services.fakes import AT, until
from tests.services.outbound.replies import CHANNEL, reply

LOST = reply()
AGAIN = replace(LOST, attempt=2, lost=(1,))
PATIENCE_SECONDS = 60.0


class Slow:
    """A database where a write has done everything and does not commit before it may."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.done, self.may = threading.Event(), threading.Event()

    async def write(self, job: Callable[[Transaction], Any], **more: bool) -> Any:
        def slowly(tx: Transaction) -> Any:
            result = job(tx)
            self.done.set()
            assert self.may.wait(PATIENCE_SECONDS)
            return result

        return await self._database.write(slowly, **more)


def accepting(ledger: Ledger, second: Claimed | None) -> Coroutine[Any, Any, Any]:
    return ledger.accept([AGAIN])


def waiting(ledger: Ledger, second: Claimed | None) -> Coroutine[Any, Any, Any]:
    assert second is not None
    return ledger.settle(second, Outcome("waiting", "busy"))


def finding(ledger: Ledger, second: Claimed | None) -> Coroutine[Any, Any, Any]:
    return ledger.settle_unknown(Unknown(LOST.id, 1, CHANNEL, AT), Sent("<1@okno>"))


@pytest.mark.parametrize(
    ("first", "second"), [(accepting, finding), (finding, accepting), (waiting, finding), (finding, waiting)]
)
async def test_a_needless_attempt_ends_whoever_is_first(any_database: Database, first: Any, second: Any) -> None:
    ledger, slow = Ledger(any_database, "me"), Slow(any_database)
    await _one(ledger, LOST, Outcome("unknown"))
    being_sent = await _one(ledger, AGAIN) if waiting in (first, second) else None
    one = asyncio.create_task(first(Ledger(slow, "me"), being_sent))  # type: ignore[arg-type]
    await until(slow.done.is_set)
    two = asyncio.create_task(second(ledger, being_sent))
    while not two.done() and not await any_database.read(_somebody_waits):
        await asyncio.wait([two], timeout=0.01)
    slow.may.set()
    await asyncio.gather(one, two)
    told = [(each.attempt, each.state, each.error) for each in await ledger.unannounced(10)]
    assert told == [(1, "sent", ""), (2, "failed", SENT_BEFORE)]


async def _one(ledger: Ledger, said: OutboundReply, outcome: Outcome | None = None) -> Claimed:
    await ledger.accept([said])
    (claimed,) = await ledger.claim({CHANNEL: 1})
    if outcome:
        await ledger.settle(claimed, outcome)
    return claimed


def _somebody_waits(tx: Transaction) -> bool:
    """On SQLite the second of two writes always does."""
    if tx.dialect == "sqlite":
        return True
    sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return tx.row(sql) is not None
