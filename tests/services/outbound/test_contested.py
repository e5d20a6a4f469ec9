"""PostgreSQL fails one of two transactions that wait for each other: the outbound service does its own again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.outbound import worker
from shared.connector import SendDelayed
from shared.database import again
from shared.database.again import write_again
from shared.database.protocol import Conflict, Database, DatabaseUnavailable
from tests.services.fakes import add_channel
from tests.services.outbound.provider import House
from tests.services.outbound.replies import reply


class Contested:
    """A database where each write fails so often before it is done."""

    def __init__(self, database: Database, failures: int) -> None:
        self._database, self._failures = database, failures
        self._left = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, job: Callable[[Any], Any], **more: bool) -> Any:
        if self._left:
            self._left -= 1
            raise Conflict("deadlock detected")
        self._left = self._failures
        return await self._database.write(job, **more)


async def test_replies_are_sent_and_told_though_every_write_meets_a_conflict(
    any_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RENEW_SECONDS", 0.05)
    channel = await add_channel(any_database)
    house: Any = House(Contested(any_database, 2), tmp_path)  # type: ignore[arg-type]
    said, later = reply("now", channel.id), reply("later", channel.id)
    house.provider.answers = {"later": [SendDelayed("busy", retry_after_seconds=0.01)]}
    async with house.running() as outbound:
        await house.ask(said, later)
        assert [await house.fate(said), await house.fate(later)] == ["sent", "sent"]
        assert outbound.ready() is None
    assert house.provider.got.count("now") == 1


async def test_a_write_that_meets_conflicts_all_the_time_waits_as_for_a_database_that_is_away(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "PAUSE_SECONDS", 0.0)
    database: Any = Contested(any_database, again.TRIES)
    with pytest.raises(DatabaseUnavailable, match="10 times somebody else was in the way: deadlock detected"):
        await write_again(database, lambda tx: None)
