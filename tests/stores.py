"""Fixtures: `database` (empty) and `store` (with every table of Okno), each on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.house import SCHEMAS
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.event_store.store import EventStore
from shared.read_models import live
from shared.transport.embedded import EmbeddedTransport
from tests.peers.postgres import ExternalPostgres, PostgresServer

BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.cluster)]


def create_all_tables(database: Database) -> EventStore:
    """What `open_house` does, for a database that is open already."""
    store = EventStore(database)
    create_tables(database, SCHEMAS)
    store.create_tables()
    live.create_tables(database)
    return store


async def furnish(url: str) -> None:
    """Make all tables in a database nobody has open."""
    database = open_database(url)
    create_all_tables(database)
    await database.close()


@pytest.fixture(scope="session")
def furnished_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with all tables and nothing in them, to be copied: making them takes ten times as long."""
    path = tmp_path_factory.mktemp("furnished") / "okno.db"
    asyncio.run(furnish(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def furnished(postgres: PostgresServer | ExternalPostgres) -> Iterator[str]:
    """The same on PostgreSQL; its URL."""
    url = postgres.create_database()
    asyncio.run(furnish(url))
    yield url
    postgres.drop_database(url)


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An SQLite database, without tables unless the test wants a `store`."""
    if "store" in request.fixturenames:
        shutil.copy(request.getfixturevalue("furnished_file"), tmp_path)
    return f"sqlite:///{tmp_path / 'okno.db'}"


@pytest.fixture
def furnished_url(postgres: PostgresServer | ExternalPostgres, furnished: str) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database with all tables, dropped after the test."""
    url = postgres.create_database(furnished)
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest) -> str:
    """A database without any table."""
    return _url(request, on_postgres="database_url")


@pytest.fixture(params=BOTH)
def any_url(request: pytest.FixtureRequest) -> str:
    """A database that may have Okno's tables already, unless the test asks for `database` and makes its own."""
    makes_its_own = "database" in request.fixturenames and "store" not in request.fixturenames
    return _url(request, on_postgres="database_url" if makes_its_own else "furnished_url")


def _url(request: pytest.FixtureRequest, on_postgres: str) -> str:
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else on_postgres)
    return url


@pytest_asyncio.fixture
async def database(any_url: str) -> AsyncIterator[Database]:
    opened = open_database(any_url)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def store(database: Database) -> EventStore:
    return create_all_tables(database)


@pytest_asyncio.fixture
async def embedded(database: Database, store: EventStore) -> AsyncIterator[EmbeddedTransport]:
    transport = EmbeddedTransport(database)
    await transport.start()
    yield transport
    await transport.close()
