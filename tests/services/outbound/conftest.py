"""A database for each test, SQLite by default; `any_database` runs a test on PostgreSQL too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.database.protocol import Database
from tests.services.fakes import open_tables, sqlite
from tests.services.outbound.provider import House


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = sqlite(tmp_path)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.cluster)])
async def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path / 'okno.db'}" if request.param == "sqlite" else request.getfixturevalue("database_url")
    opened = open_tables(url)
    yield opened
    await opened.close()


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)
