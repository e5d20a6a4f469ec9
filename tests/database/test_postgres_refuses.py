"""PostgreSQL that answers and refuses: closed to writing, without a right, with other letters, or with no room left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from services import doctor
from shared.database import postgres as module
from shared.database import postgres_connect
from shared.database.postgres import PostgresDatabase
from shared.database.protocol import DatabaseUnavailable, Transaction
from shared.database.schema import create_tables
from shared.settings import WrongSettings
from tests.peers.postgres import ExternalPostgres, PostgresServer
from tests.services.fakes import until

SCHEMA = "CREATE TABLE IF NOT EXISTS things (id BIGINT PRIMARY KEY)"
pytestmark = pytest.mark.cluster


def add(tx: Transaction) -> None:
    tx.run("INSERT INTO things SELECT count(*) FROM things")


def things(tx: Transaction) -> int:
    return int(tx.rows("SELECT count(*) FROM things")[0][0])


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


def name_of(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


async def test_a_database_that_is_closed_to_writing_is_waited_for_and_written_to_once_it_is_open(
    postgres: PostgresServer | ExternalPostgres, database_url: str
) -> None:
    """As a standby is, and what a provider does when the disk is full: a session begun meanwhile would stay so."""
    name = name_of(database_url)
    run(database_url, SCHEMA, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    database = PostgresDatabase(database_url)
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        await database.write(add)
    assert await database.read(things) == 0
    run(postgres.url, f"ALTER DATABASE {name} RESET default_transaction_read_only")

    async def is_written() -> bool:
        try:
            await database.write(add)
        except DatabaseUnavailable:
            return False
        return True

    async with asyncio.timeout(10):
        await until(is_written)  # the pool has made a session anew before it was open
    assert await database.read(things) == 1
    await database.close()


@pytest.fixture
def stranger(database_url: str) -> Iterator[str]:
    """A role that may connect, and nothing else; how it connects."""
    role = f"stranger_{name_of(database_url)}"
    run(database_url, SCHEMA, f"CREATE ROLE {role} LOGIN PASSWORD 'okno'")
    there = urlsplit(database_url)
    yield there._replace(netloc=f"{role}:okno@{there.hostname}:{there.port}").geturl()
    run(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_a_user_without_rights_waits_until_they_are_given(database_url: str, stranger: str) -> None:
    database = PostgresDatabase(stranger)
    with pytest.raises(DatabaseUnavailable, match="permission denied for table things"):
        await database.write(add)
    run(database_url, f"GRANT ALL ON things TO {urlsplit(stranger).username}")
    await database.write(add)
    await database.close()


async def test_who_gets_no_connection_is_told_why(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POOL_SECONDS", 1.0)
    for url, why in (
        (database_url.replace("okno:okno@", "okno:wrong@"), "password authentication failed"),
        (database_url + "_gone", "does not exist"),
    ):
        database = PostgresDatabase(url)
        with pytest.raises(DatabaseUnavailable, match=why):
            await database.read(things)
        await database.close()


async def test_who_gets_no_connection_since_all_are_taken_is_told_that(
    database_url: str, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POOL_SECONDS", 1.0)
    run(database_url, f"ALTER DATABASE {name_of(database_url)} CONNECTION LIMIT 0")
    database = PostgresDatabase(stranger)
    with pytest.raises(DatabaseUnavailable, match="too many connections"):
        await database.read(things)
    await database.close()


async def test_a_database_that_cannot_keep_every_letter_is_refused_in_words(
    postgres: PostgresServer | ExternalPostgres, database_url: str
) -> None:
    for encoding in ("SQL_ASCII", "WIN1251"):
        name = f"{name_of(database_url)}_{encoding.lower()}"
        run(postgres.url, f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        url = urlsplit(database_url)._replace(path=f"/{name}").geturl()
        database = PostgresDatabase(url)
        with pytest.raises(WrongSettings, match=f"encoding is {encoding}.*ENCODING 'UTF8'"):
            create_tables(database, [SCHEMA])
        await database.close()
        postgres.drop_database(url)


async def test_what_a_shell_says_about_letters_is_not_ours(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    database = PostgresDatabase(database_url)
    assert await database.read(lambda tx: tx.rows("SELECT ?::text", ("ёж 🦔",))) == [("ёж 🦔",)]
    await database.close()


async def test_a_write_is_read_committed_whatever_the_database_has_for_others(database_url: str) -> None:
    run(database_url, f"ALTER DATABASE {name_of(database_url)} SET default_transaction_isolation = 'serializable'")
    database = PostgresDatabase(database_url)
    assert await database.write(lambda tx: tx.rows("SHOW transaction_isolation")) == [("read committed",)]
    await database.close()


async def test_a_process_that_is_stopped_in_a_transaction_holds_up_others_for_a_minute_at_most(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(database_url, SCHEMA)
    monkeypatch.setattr(postgres_connect, "OPTIONS", postgres_connect.OPTIONS.replace("=60s", "=300ms"))
    stopped, other = PostgresDatabase(database_url), PostgresDatabase(database_url)
    with pytest.raises(DatabaseUnavailable, match="idle-in-transaction"):
        await _stopped_while(stopped, other)
    await stopped.write(add)
    assert await other.read(things) == 2
    for database in (stopped, other):
        await database.close()


async def _stopped_while(stopped: PostgresDatabase, other: PostgresDatabase) -> None:
    with stopped.writing() as tx:
        tx.run("LOCK TABLE things IN EXCLUSIVE MODE")
        async with asyncio.timeout(10):
            await other.write(add)
        tx.run("SELECT 1")


async def test_what_the_server_is_told_of_us_goes_with_what_the_url_says(database_url: str) -> None:
    run(database_url, "CREATE SCHEMA okno")
    database = PostgresDatabase(database_url + "?options=-csearch_path%3Dokno")
    create_tables(database, [SCHEMA])
    await database.write(add)
    names = ("plan_cache_mode", "idle_in_transaction_session_timeout", "tcp_keepalives_idle", "tcp_user_timeout")
    settings = "SELECT current_setting(?), current_setting(?), current_setting(?), current_setting(?)"
    told = await database.read(lambda tx: tx.rows(settings, names))
    assert told == [("force_custom_plan", "1min", "10", "25000")]
    database.wipe(["things"])
    where = "SELECT schemaname::text FROM pg_tables WHERE tablename = 'things'"
    assert await database.read(lambda tx: tx.rows(where)) == [("okno",)]
    await database.close()


async def test_who_does_not_own_the_database_is_told_that_its_statistics_keep_what_was_erased(
    database_url: str, stranger: str
) -> None:
    """They have samples of every column, and the server passes over them with a warning that nobody sees."""
    role = urlsplit(stranger).username
    run(database_url, f"CREATE SCHEMA {role} AUTHORIZATION {role}")
    database = PostgresDatabase(stranger)
    create_tables(database, [SCHEMA])
    house: Any = SimpleNamespace(database=database)
    with pytest.raises(DatabaseUnavailable, match=r"statistics keep what was deleted.* has to own the database"):
        database.wipe(["things"])
    assert [state for state, _ in await doctor._database(house)] == ["ok", "warning"]
    run(database_url, f"ALTER DATABASE {name_of(database_url)} OWNER TO {role}")
    database.wipe(["things"])
    assert [state for state, _ in await doctor._database(house)] == ["ok"]
    run(database_url, f"ALTER DATABASE {name_of(database_url)} OWNER TO CURRENT_USER")
    await database.close()
