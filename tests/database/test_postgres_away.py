"""PostgreSQL that goes away, or whose machine does: whoever waits learns it, and all goes on once it is back."""

from __future__ import annotations

import asyncio
import os
import socket
import time

import pytest

from shared.database import postgres
from shared.database.postgres import PostgresDatabase
from shared.database.postgres_transaction import PostgresTransaction
from shared.database.protocol import DatabaseUnavailable, Transaction
from shared.database.schema import create_tables
from tests.peers.postgres import PostgresServer
from tests.services.fakes import until

SCHEMA = "CREATE TABLE IF NOT EXISTS things (id BIGINT PRIMARY KEY)"


def add(tx: Transaction, id_: int) -> None:
    tx.run("INSERT INTO things VALUES (?)", (id_,))


def ids(tx: Transaction) -> list[int]:
    return [id_ for (id_,) in tx.rows("SELECT id FROM things ORDER BY id")]


@pytest.mark.cluster
async def test_a_leader_learns_that_the_database_is_gone(own_postgres: PostgresServer) -> None:
    database = PostgresDatabase(own_postgres.url)
    async with database.leadership("projector") as watch:
        watching = asyncio.create_task(watch())
        await asyncio.sleep(0.1)
        own_postgres.kill()
        with pytest.raises(DatabaseUnavailable):
            await asyncio.wait_for(watching, 60)
    await database.close()


@pytest.mark.cluster
async def test_a_connection_learns_within_half_a_minute_that_the_server_s_machine_is_gone(
    postgres: PostgresServer,
) -> None:
    for more, wanted in (("", [1, 10, 5, 3, 25_000]), ("?keepalives_idle=60", [1, 60, 5, 3, 25_000])):
        database = PostgresDatabase(postgres.url + more)
        assert await database.read(_patience) == wanted
        await database.close()


def _patience(tx: Transaction) -> list[int]:
    """Whether the socket looks if the other side is there, after how many seconds, how often; and how long it waits."""
    assert isinstance(tx, PostgresTransaction)
    with socket.socket(fileno=os.dup(tx.connection.fileno())) as connected:
        keeps = connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        return [keeps, *(connected.getsockopt(socket.IPPROTO_TCP, name) for name in names)]


@pytest.mark.cluster
async def test_a_database_that_was_away_for_long_is_used_again_within_seconds(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "POOL_SECONDS", 1.0)
    database = PostgresDatabase(own_postgres.url)
    create_tables(database, [SCHEMA])

    async def is_there() -> bool:
        try:
            return await database.read(ids) == []
        except DatabaseUnavailable:
            return False

    own_postgres.kill()
    gone_until = time.monotonic() + 17  # the pool of itself tries after 15 s, then after 31 s
    while time.monotonic() < gone_until:
        assert not await is_there()
    own_postgres.start()
    async with asyncio.timeout(8):
        await until(is_there)
    await database.close()


@pytest.mark.cluster
async def test_a_database_that_went_away_is_unavailable_and_comes_back_by_itself(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "POOL_SECONDS", 2.0)
    database = PostgresDatabase(own_postgres.url)
    create_tables(database, [SCHEMA])
    listener = database.listen("news")
    await database.write(lambda tx: add(tx, 1))
    own_postgres.kill()
    assert await listener.wait(5), "whoever waits must look for itself"
    with pytest.raises(DatabaseUnavailable):
        async with asyncio.timeout(20):
            await database.read(ids)
    own_postgres.start()
    await database.write(lambda tx: add(tx, 2))
    assert await database.read(ids) == [1, 2]

    async def is_woken() -> bool:
        while await listener.wait(0.05):
            """What was told before."""
        await database.write(lambda tx: tx.notify("news"))
        return await listener.wait(1)

    await until(is_woken)
    await database.close()


@pytest.mark.cluster
async def test_what_is_too_large_for_the_database_is_no_outage(database_url: str) -> None:
    """Whoever waits for an outage to end would wait for ever."""
    database = PostgresDatabase(database_url)
    create_tables(database, ["CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY)"])
    key = "".join(chr(0x4E00 + n * 7 % 20000) for n in range(5000))
    with pytest.raises(Exception, match="maximum") as caught:
        await database.write(lambda tx: tx.run("INSERT INTO keys VALUES (?)", (key,)))
    assert not isinstance(caught.value, DatabaseUnavailable)
    await database.close()
