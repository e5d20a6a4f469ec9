"""Who leads works; who cannot, as the database is away, says so once an outage and goes on trying."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.database import lead
from shared.database.lead import lead_forever
from shared.database.protocol import DatabaseUnavailable
from tests.services.fakes import until
from tests.services.projector.running import running


class Comes:
    """A database that is there at its 20th asking, then away again; it never ends by itself."""

    asked = 0

    @asynccontextmanager
    async def leadership(self, name: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        self.asked += 1
        if self.asked != 20:
            raise DatabaseUnavailable("gone")
        yield self._watch

    async def _watch(self) -> None:
        raise DatabaseUnavailable("gone")


async def test_an_outage_is_told_once_however_often_the_lead_is_sought(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lead, "AGAIN_SECONDS", 0.001)
    caplog.set_level(logging.INFO)
    database: Any = Comes()
    async with running(lead_forever(database, "projector", tuple)):
        await until(lambda: database.asked > 100)
    assert [record.message for record in caplog.records] == ["lead_lost", "leading", "lead_lost"]
