"""Where this Okno listens: the last start counts, and whoever listens everywhere is given a name that works."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.database.open import open_database
from shared.database.protocol import Database
from shared.registry.listening import Listening, reached_at, url_of
from tests.stores import create_all_tables


@pytest_asyncio.fixture
async def database(any_url: str) -> AsyncIterator[Database]:
    opened = open_database(any_url)
    create_all_tables(opened)
    yield opened
    await opened.close()


async def test_the_last_start_of_each_service_counts(database: Database) -> None:
    listening = Listening(database)
    assert await listening.of("ingest") == ""
    await listening.note(("ingest", "inbox-api"), "http://127.0.0.1:8123")
    await listening.note(("ingest",), "https://okno.example")
    assert [await listening.of(each) for each in ("ingest", "inbox-api", "outbound")] == [
        "https://okno.example", "http://127.0.0.1:8123", ""
    ]  # fmt: skip


@pytest.mark.parametrize("any_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("host", "here", "elsewhere"),
    [
        ("0.0.0.0", "http://127.0.0.1:8123", "http://alpha:8123"),
        ("::", "http://127.0.0.1:8123", "http://alpha:8123"),
        ("10.0.0.7", "http://10.0.0.7:8123", "http://10.0.0.7:8123"),
        ("::1", "http://[::1]:8123", "http://[::1]:8123"),
    ],
)
async def test_a_link_can_be_opened_whatever_was_listened_on(
    database: Database, host: str, here: str, elsewhere: str
) -> None:
    await Listening(database, "alpha").note(("ingest",), url_of(host, 8123))
    assert [await Listening(database, machine).of("ingest") for machine in ("alpha", "beta")] == [here, elsewhere]
    assert reached_at(url_of(host, 8123)) == here
