"""A PostgreSQL whose process hangs while its machine confirms every packet: who waits learns it, and goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import pytest_asyncio

from shared.database.postgres import PostgresDatabase
from shared.database.protocol import DatabaseUnavailable, Transaction
from shared.database.schema import create_tables
from tests.peers.postgres import ExternalPostgres, PostgresServer

pytestmark = pytest.mark.cluster
SECONDS = 0.5
OURS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'okno'"


@pytest_asyncio.fixture
async def database(
    postgres: PostgresServer | ExternalPostgres, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PostgresDatabase]:
    if isinstance(postgres, ExternalPostgres):
        pytest.skip("the server's processes are not ours to stop")
    monkeypatch.setattr("shared.database.postgres.CONNECT_SECONDS", 1.0)
    database = PostgresDatabase(database_url)
    create_tables(database, ["CREATE TABLE IF NOT EXISTS things (id BIGINT PRIMARY KEY)"])
    database.statement_seconds = SECONDS
    yield database
    await database.close()


def own_process(tx: Transaction) -> int:
    row = tx.row("SELECT pg_backend_pid()")
    assert row is not None
    return int(row[0])


@contextmanager
def stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


async def test_a_statement_of_a_stopped_server_is_given_up_and_the_next_has_another_connection(
    database: PostgresDatabase,
) -> None:
    processes: list[int] = []

    def hangs(tx: Transaction) -> None:
        processes.append(own_process(tx))
        os.kill(processes[-1], signal.SIGSTOP)
        tx.run("INSERT INTO things VALUES (1)")

    began = time.monotonic()
    try:
        with pytest.raises(DatabaseUnavailable, match="has not answered for"):
            await database.write(hangs)
        assert time.monotonic() - began < 30
        assert await database.read(own_process) not in processes
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    assert await database.read(lambda tx: tx.rows("SELECT id FROM things")) == []


async def test_connections_that_were_stopped_while_they_rested_are_not_used(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.database.postgres.RESTED_SECONDS", 0.0)
    rest = [process for (process,) in await database.read(lambda tx: tx.rows(OURS))]
    with ExitStack() as stack:
        for process in rest:
            stack.enter_context(stopped(process))
        assert await database.read(own_process) not in rest


async def test_what_a_server_is_long_at_is_told_to_stop(database: PostgresDatabase) -> None:
    """Else each repetition would leave one more there."""
    with pytest.raises(DatabaseUnavailable, match="has not answered for"):
        await database.read(lambda tx: tx.rows("SELECT pg_sleep(60)"))
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60%' AND pid <> pg_backend_pid()"
    sql += " AND state = 'active'"
    until = time.monotonic() + 20
    while await database.read(lambda tx: tx.rows(sql)) != [(0,)]:
        assert time.monotonic() < until


async def test_long_work_in_a_thread_of_its_own_is_waited_for(database: PostgresDatabase) -> None:
    with database.reading() as tx:
        assert tx.rows("SELECT 1 FROM pg_sleep(1)") == [(1,)]
    with database.aside() as aside, aside.writing() as tx:
        assert tx.rows("SELECT 1 FROM pg_sleep(1)") == [(1,)]
    assert await database.read(lambda tx: tx.rows("SELECT 2")) == [(2,)]


async def test_where_threads_have_a_limit_of_their_own_they_are_not_kept_either(database: PostgresDatabase) -> None:
    """The key store is asked so, in the middle of other work."""
    database.thread_seconds = SECONDS

    def hangs() -> None:
        with database.reading() as tx, stopped(own_process(tx)):
            tx.rows("SELECT 1")

    with pytest.raises(DatabaseUnavailable, match="has not answered for"):
        hangs()


async def test_without_a_limit_everything_is_waited_for(database: PostgresDatabase) -> None:
    """So commands do, which may empty a great table in one statement."""
    database.statement_seconds = None
    assert await database.write(lambda tx: tx.rows("SELECT 1 FROM pg_sleep(1)")) == [(1,)]
