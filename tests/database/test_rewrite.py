"""A table of PostgreSQL is written anew while others read and write it, and nothing of what they do is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from shared.database import postgres_rewrite
from shared.database.open import open_database
from shared.database.postgres_rewrite import Busy, rewrite
from shared.database.protocol import DatabaseUnavailable, Transaction
from shared.database.schema import create_tables

pytestmark = pytest.mark.cluster
MADE = """
CREATE TABLE things (kind TEXT NOT NULL, id BIGINT NOT NULL, said TEXT NOT NULL, PRIMARY KEY (id, kind));
CREATE UNIQUE INDEX things_said ON things (said);
CREATE INDEX things_open ON things (id) WHERE said > 'b'
"""
SHAPE = """
SELECT c.relname, replace(pg_get_indexdef(c.oid), 'public.', ''), i.indisprimary FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'things'::regclass ORDER BY 1
"""


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as made:
        made.execute(MADE)
        made.execute("INSERT INTO things SELECT 'a', n, 'said ' || n FROM generate_series(1, 3000) n")
        yield made


def rows(connection: psycopg.Connection[Any]) -> list[Any]:
    return connection.execute("SELECT * FROM things ORDER BY id, kind").fetchall()


def leftovers(connection: psycopg.Connection[Any]) -> list[Any]:
    """Return names of what is there for the time of a rewriting only."""
    kinds = (
        "SELECT relname FROM pg_class WHERE relname LIKE '%anew%'",
        "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'okno%'",
        "SELECT proname FROM pg_proc WHERE proname LIKE '%anew'",
    )
    return connection.execute(" UNION ".join(kinds)).fetchall()


def test_a_table_written_anew_has_the_same_rows_and_indexes_in_another_file(
    connection: psycopg.Connection[Any],
) -> None:
    shape, before, file = connection.execute(SHAPE).fetchall(), rows(connection), file_of(connection)
    rewrite(connection, "things")
    assert (connection.execute(SHAPE).fetchall(), rows(connection)) == (shape, before)
    assert file_of(connection) != file
    assert leftovers(connection) == []


def file_of(connection: psycopg.Connection[Any]) -> Any:
    return connection.execute("SELECT pg_relation_filepath('things')").fetchone()


def test_what_others_write_meanwhile_is_there_afterwards(
    connection: psycopg.Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_rewrite, "ROWS", 20)
    wanted = {(kind, id_): said for kind, id_, said in rows(connection)}
    stop = threading.Event()

    def write() -> None:
        number = 0
        with psycopg.connect(database_url, autocommit=True) as other:
            while not stop.is_set():
                number += 1
                place = number * 37 % 3000 + 1
                with other.transaction():
                    other.execute("DELETE FROM things WHERE id = %s", (place,))
                    wanted.pop(("a", place), None)
                    other.execute("INSERT INTO things VALUES ('b', %s, %s)", (10_000 + number, f"new {number}"))
                    wanted["b", 10_000 + number] = f"new {number}"
                    changed = number * 53 % 3000 + 1
                    if other.execute("UPDATE things SET said = %s WHERE id = %s", (f"c {number}", changed)).rowcount:
                        wanted["a", changed] = f"c {number}"

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(2):
            rewrite(connection, "things")
    finally:
        stop.set()
        writer.join()
    assert {(kind, id_): said for kind, id_, said in rows(connection)} == wanted


def test_a_snapshot_from_before_sees_all_rows_as_it_is_waited_for(
    connection: psycopg.Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_rewrite, "WAIT_SECONDS", 0.3)
    with psycopg.connect(database_url) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1 FROM pg_class LIMIT 1")  # a snapshot, and no lock on the table
        with pytest.raises(Busy, match="has been open for 0 s, as while a backup is made"):
            rewrite(connection, "things")
        assert len(rows(other)) == 3000
    assert leftovers(connection) == []
    rewrite(connection, "things")


async def test_who_uses_the_table_all_the_time_is_told(
    connection: psycopg.Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_rewrite, "WAIT_SECONDS", 0.3)
    database = open_database(database_url)
    try:
        with psycopg.connect(database_url) as other:
            other.execute("LOCK TABLE things IN ROW EXCLUSIVE MODE")
            with pytest.raises(DatabaseUnavailable, match="things has been in use for"):
                await asyncio.to_thread(database.wipe, ["things"])
            assert await database.read(count) == 3000  # nobody waits behind it
    finally:
        await database.close()


def count(tx: Transaction) -> int:
    return int(tx.rows("SELECT count(*) FROM things")[0][0])


def test_an_attempt_that_died_half_way_is_cleared_and_done_again(connection: psycopg.Connection[Any]) -> None:
    key = ["id", "kind"]
    postgres_rewrite._begin(connection, "things", key)
    connection.execute("INSERT INTO things VALUES ('b', 1, 'x')")
    before = rows(connection)
    rewrite(connection, "things")
    assert (rows(connection), leftovers(connection)) == (before, [])


def test_whoever_writes_rows_in_another_order_is_not_failed(
    connection: psycopg.Connection[Any], database_url: str
) -> None:
    """The copy waits for one row of a writer who wants another one next."""
    postgres_rewrite._begin(connection, "things", ["id", "kind"])
    waits = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
    with psycopg.connect(database_url) as writer, psycopg.connect(database_url, autocommit=True) as looker:
        writer.execute("UPDATE things SET said = 'later' WHERE id = 300")
        with ThreadPoolExecutor(1) as thread:
            copying = thread.submit(postgres_rewrite._copy, connection, "things", ["id", "kind"])
            while not looker.execute(waits, (connection.info.backend_pid,)).fetchone():
                assert not copying.done(), "the copy waited for nobody"
                time.sleep(0.01)
            writer.execute("UPDATE things SET said = 'earlier' WHERE id = 1")
            writer.commit()
            copying.result()
        copied = looker.execute("SELECT * FROM things__anew ORDER BY id, kind").fetchall()
    assert copied == rows(connection)
    assert {(1, "earlier"), (300, "later")} <= {row[1:] for row in copied}
    postgres_rewrite._clear(connection, "things")


def test_owner_grants_and_storage_parameters_are_kept(connection: psycopg.Connection[Any]) -> None:
    reader, keeper = (f"{name}_{uuid4().hex}" for name in ("reader", "keeper"))
    try:
        for role in (reader, keeper):
            connection.execute(f"CREATE ROLE {role}")
        connection.execute("ALTER TABLE things SET (fillfactor = 70, toast.autovacuum_enabled = false)")
        connection.execute(f"GRANT SELECT, UPDATE ON things TO {reader} WITH GRANT OPTION")
        connection.execute("GRANT SELECT (id, said) ON things TO PUBLIC")
        connection.execute(f"ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO {reader}")
        connection.execute(f"ALTER TABLE things OWNER TO {keeper}")
        before, file = rights(connection), file_of(connection)
        rewrite(connection, "things")
        assert file_of(connection) != file
        assert rights(connection) == before
    finally:
        connection.execute(f"DROP TABLE things; DROP OWNED BY {reader}, {keeper}; DROP ROLE {reader}, {keeper}")


def rights(connection: psycopg.Connection[Any]) -> list[Any]:
    of_table = """
        SELECT pg_get_userbyid(c.relowner), c.reloptions, t.reloptions,
        ARRAY(SELECT a FROM unnest(c.relacl) a ORDER BY a::text)
        FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.oid = 'things'::regclass
    """
    of_columns = "SELECT attname, attacl FROM pg_attribute WHERE attrelid = 'things'::regclass AND attnum > 0"
    return [connection.execute(sql).fetchall() for sql in (of_table, of_columns)]  # type: ignore[call-overload]


def test_a_column_that_is_added_after_an_attempt_died_is_in_the_way_of_nobody(
    connection: psycopg.Connection[Any], database_url: str
) -> None:
    postgres_rewrite._begin(connection, "things", ["id", "kind"])
    connection.execute("ALTER TABLE things ADD COLUMN more TEXT NOT NULL DEFAULT 'none'")
    connection.execute("INSERT INTO things VALUES ('b', 1, 'x', 'some')")
    before = rows(connection)
    rewrite(connection, "things")
    assert (rows(connection), leftovers(connection)) == (before, [])


def test_a_column_that_is_added_meanwhile_is_there_with_what_was_written_to_it(
    connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = iter(["ALTER TABLE things ADD COLUMN more TEXT", "INSERT INTO things VALUES ('b', 1, 'x', 'some')"])
    wait = postgres_rewrite._wait_for_older

    def changed(connection: psycopg.Connection[Any]) -> None:
        for statement in add:
            connection.execute(statement)  # type: ignore[call-overload]
        wait(connection)

    monkeypatch.setattr(postgres_rewrite, "_wait_for_older", changed)
    rewrite(connection, "things")
    assert ("b", 1, "x", "some") in rows(connection)
    assert (len(rows(connection)), leftovers(connection)) == (3001, [])


async def test_what_a_dead_attempt_left_is_thrown_away_at_the_next_start_unless_the_table_is_in_use(
    connection: psycopg.Connection[Any], database_url: str
) -> None:
    database = open_database(database_url)
    try:
        postgres_rewrite._begin(connection, "things", ["id", "kind"])
        left = leftovers(connection)
        with psycopg.connect(database_url) as other:
            other.execute("SELECT count(*) FROM things")
            await asyncio.to_thread(create_tables, database, ["CREATE TABLE IF NOT EXISTS more (id BIGINT)"])
            assert leftovers(connection) == left
        await asyncio.to_thread(create_tables, database, ["CREATE TABLE IF NOT EXISTS more (id BIGINT)"])
        assert leftovers(connection) == []
    finally:
        await database.close()


async def test_a_start_leaves_a_rewriting_alone_that_is_under_way(
    connection: psycopg.Connection[Any], database_url: str
) -> None:
    database = open_database(database_url)
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", (postgres_rewrite._LOCK,))
        postgres_rewrite._begin(connection, "things", ["id", "kind"])
        left = leftovers(connection)
        await asyncio.to_thread(create_tables, database, [])
        assert leftovers(connection) == left
    finally:
        await database.close()
