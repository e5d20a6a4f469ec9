"""The promises of `Database`, kept by both: a job is written whole, seen at one moment, and told after the commit."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from shared.database.open import open_database
from shared.database.postgres import PostgresDatabase
from shared.database.protocol import Conflict, Database, DatabaseUnavailable, Transaction
from shared.database.schema import create_tables

SCHEMA = """
CREATE TABLE IF NOT EXISTS things (id BIGINT PRIMARY KEY, name TEXT, data BLOB, number BIGINT);
CREATE INDEX IF NOT EXISTS things_name ON things (name)
"""
CHILD = (sys.executable, "-m", "tests.database.child")


@pytest_asyncio.fixture
async def database(empty_url: str) -> AsyncIterator[Database]:
    opened = open_database(empty_url)
    create_tables(opened, [SCHEMA])
    yield opened
    await opened.close()


def add(tx: Transaction, id_: int, name: str = "", topic: str = "") -> int:
    touched = tx.run("INSERT INTO things (id, name) VALUES (?, ?)", (id_, name))
    if topic:
        tx.notify(topic)
    return touched


def add_two(tx: Transaction, id_: int) -> None:
    add(tx, 500 + id_)
    add(tx, id_)


def ids(tx: Transaction) -> list[int]:
    return [id_ for (id_,) in tx.rows("SELECT id FROM things ORDER BY id")]


async def test_semicolons_in_comments_and_texts_of_a_schema_end_no_statement(database: Database) -> None:
    schema = "-- one; two\nCREATE TABLE said (word TEXT DEFAULT ';'); INSERT INTO said VALUES ('a;b'); -- and; so on\n"
    await database.write(lambda tx: tx.script(schema))
    await database.write(lambda tx: tx.run("INSERT INTO said DEFAULT VALUES"))
    assert await database.read(lambda tx: tx.rows("SELECT word FROM said")) == [("a;b",), (";",)]


async def test_a_job_is_written_whole_or_not_at_all(database: Database) -> None:
    def fails(tx: Transaction) -> None:
        add(tx, 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(fails)
    assert await database.write(partial(add, id_=2)) == 1
    assert await database.read(ids) == [2]


async def test_a_key_that_is_there_already_is_a_conflict(database: Database) -> None:
    await database.write(partial(add, id_=1))
    with pytest.raises(Conflict):
        await database.write(partial(add, id_=1))
    with pytest.raises(Conflict), database.writing() as tx:
        tx.insert_many("things", ("id", "name"), [(2, "x"), (1, "y")])
    assert await database.read(ids) == [1]


async def test_one_failing_job_among_many_leaves_the_others_standing(database: Database) -> None:
    """On SQLite those that wait are committed together."""
    await database.write(partial(add, id_=50))
    blocked, jobs = threading.Event(), []
    first = asyncio.create_task(database.write(lambda tx: (add(tx, 1000), blocked.wait(5))))
    await asyncio.sleep(0.05)
    jobs = [asyncio.create_task(database.write(partial(add_two, id_=n))) for n in range(40, 60)]
    await asyncio.sleep(0.05)
    blocked.set()
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    await first
    assert [n for n, outcome in zip(range(40, 60), outcomes, strict=True) if isinstance(outcome, Exception)] == [50]
    assert isinstance(outcomes[10], Conflict)
    written = [n for n in range(40, 60) if n != 50]
    assert await database.read(ids) == [*sorted([50, *written]), *(500 + n for n in written), 1000]


async def test_a_commit_that_fails_fails_everybody_who_waits_for_it(sqlite_url: str) -> None:
    """A foreign key that is deferred is checked by COMMIT itself."""
    database = open_database(sqlite_url)
    child = "CREATE TABLE children (parent BIGINT REFERENCES things DEFERRABLE INITIALLY DEFERRED)"
    create_tables(database, [SCHEMA, child])
    blocked = threading.Event()
    await database.write(_check_foreign_keys)
    first = asyncio.create_task(database.write(lambda tx: blocked.wait(5)))
    await asyncio.sleep(0.05)
    jobs = (partial(add, id_=1), lambda tx: tx.run("INSERT INTO children VALUES (77)"), partial(add, id_=3))
    tasks = [asyncio.create_task(database.write(job)) for job in jobs]
    await asyncio.sleep(0.05)
    blocked.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    await first
    assert [type(outcome) for outcome in outcomes] == [sqlite3.IntegrityError] * 3
    await database.write(partial(add, id_=4))
    assert await database.read(ids) == [4]
    await database.close()


def _check_foreign_keys(tx: Transaction) -> None:
    """The pragma works outside of a transaction only."""
    tx.connection.execute("COMMIT")
    tx.connection.execute("PRAGMA foreign_keys=ON")
    tx.connection.execute("BEGIN")


async def test_rows_of_every_kind_come_back(database: Database) -> None:
    rows = [
        (1, None, None, None),
        (2, "Привет, мир 👋 'quoted' \\ %s ? ", b"\x00\xff", 2**63 - 1),
        (3, "", b"", -(2**63)),
        (4, "x" * 100_000, bytes(range(256)) * 400, 0),
    ]
    columns = ("id", "name", "data", "number")
    await database.write(lambda tx: tx.insert_many("things", columns, rows))
    await database.write(lambda tx: tx.insert_many("things", columns, []))
    found = await database.read(lambda tx: tx.rows("SELECT id, name, data, number FROM things ORDER BY id"))
    assert [(i, n, None if d is None else bytes(d), m) for i, n, d, m in found] == rows


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 333])
async def test_any_number_of_rows_is_inserted(database: Database, count: int) -> None:
    rows = [(n, None if n % 3 else f"n{n}") for n in range(count)]
    await database.write(lambda tx: tx.insert_many("things", ("id", "name"), rows))
    assert await database.read(lambda tx: tx.rows("SELECT id, name FROM things ORDER BY id")) == rows


async def test_columns_that_are_all_empty_are_inserted(database: Database) -> None:
    rows = [(n, None, None, None) for n in range(5)]
    await database.write(lambda tx: tx.insert_many("things", ("id", "name", "data", "number"), rows))
    assert await database.read(lambda tx: tx.row("SELECT count(*) FROM things WHERE data IS NULL")) == (5,)


async def test_rows_that_are_there_are_left_or_replaced_as_the_tail_says(database: Database) -> None:
    await database.write(partial(add, id_=1, name="old"))
    rows = [(1, "new"), (2, "new")]
    await database.write(lambda tx: tx.insert_many("things", ("id", "name"), rows, "ON CONFLICT DO NOTHING"))
    names = partial(_names)
    assert await database.read(names) == ["old", "new"]
    tail = "ON CONFLICT (id) DO UPDATE SET name = excluded.name"
    await database.write(lambda tx: tx.insert_many("things", ("id", "name"), rows, tail))
    assert await database.read(names) == ["new", "new"]
    many = [(f"n{n}", n) for n in (1, 2)]
    await database.write(lambda tx: tx.run_many("UPDATE things SET name = ? WHERE id = ?", many))
    assert await database.read(names) == ["n1", "n2"]


async def test_many_numbers_and_empty_ones_are_put_where_none_was(database: Database) -> None:
    rows = [(n, [2**63 - 1, None, -(2**63), 0][n % 4]) for n in range(30)]
    tail = "ON CONFLICT DO NOTHING"
    await database.write(lambda tx: tx.insert_many("things", ("id", "number"), rows, tail))
    assert await database.read(lambda tx: tx.rows("SELECT id, number FROM things ORDER BY id")) == rows


async def test_many_rows_of_which_one_is_there_are_a_conflict_and_none_is_written(database: Database) -> None:
    await database.write(partial(add, id_=77))
    rows = [(n, f"n{n}") for n in range(100)]
    with pytest.raises(Conflict):
        await database.write(lambda tx: tx.insert_many("things", ("id", "name"), rows))
    assert await database.read(ids) == [77]


async def test_many_odd_values_are_inserted(database: Database) -> None:
    odd = ["tab\tline\nback\\slash", "\\N", "", None, "Ж'\"%s?"]
    rows = [(n, odd[n % 5], bytes(range(n)), None if n % 2 else -n) for n in range(50)]
    columns = ("id", "name", "data", "number")
    await database.write(lambda tx: tx.insert_many("things", columns, rows))
    found = await database.read(lambda tx: tx.rows("SELECT id, name, data, number FROM things ORDER BY id"))
    assert [(i, n, bytes(d), m) for i, n, d, m in found] == rows


@pytest.mark.parametrize("odd", [["", None, "Ж'\"%s?", "\n\t"], ["\x1f", "a\x1fb", None], ["\x1e", None], [None], [""]])
async def test_many_odd_texts_are_put_where_none_was_and_found_by_themselves(
    database: Database, odd: list[str | None]
) -> None:
    rows = [(n, odd[n % len(odd)]) for n in range(30)]
    tail = "ON CONFLICT DO NOTHING"
    await database.write(lambda tx: tx.insert_many("things", ("id", "name"), rows, tail))
    found = await database.read(lambda tx: tx.rows("SELECT id, name FROM things ORDER BY id"))
    assert found == rows
    texts = [text for text in odd if text is not None]
    keys = [*texts, *(f"k{n}" for n in range(20))]
    sql = "SELECT id FROM things WHERE name"
    there = [id_ for (id_,) in await database.read(lambda tx: tx.rows_in(sql, keys))]
    assert sorted(there) == [n for n, text in rows if text is not None]
    assert await database.read(lambda tx: tx.rows_in(sql, [])) == []


def _names(tx: Transaction) -> list[str]:
    return [name for (name,) in tx.rows("SELECT name FROM things ORDER BY id")]


async def test_a_read_sees_one_moment_whatever_is_written_meanwhile(database: Database) -> None:
    await database.write(partial(add, id_=1))
    started, written = threading.Event(), threading.Event()

    def look_twice(tx: Transaction) -> tuple[list[int], list[int]]:
        first = ids(tx)
        started.set()
        assert written.wait(5)
        return first, ids(tx)

    looking = asyncio.create_task(database.read(look_twice))
    await asyncio.to_thread(started.wait, 5)
    await database.write(partial(add, id_=2))
    written.set()
    assert await looking == ([1], [1])
    assert await database.read(ids) == [1, 2]


# --- wake-ups ---------------------------------------------------------------------------------------------


async def test_a_listener_wakes_after_the_commit_and_not_before(database: Database) -> None:
    listener = database.listen("news")
    while await listener.wait(0.2):
        """What was told before, such as that somebody listens."""
    inside, go_on = threading.Event(), threading.Event()

    def slowly(tx: Transaction) -> None:
        add(tx, 1, topic="news")
        inside.set()
        assert go_on.wait(5)

    writing = asyncio.create_task(database.write(slowly))
    await asyncio.to_thread(inside.wait, 5)
    assert not await listener.wait(0.15)
    go_on.set()
    assert await listener.wait(5)
    assert await database.read(ids) == [1]
    await writing


async def test_nobody_is_woken_by_what_was_not_written(database: Database) -> None:
    listener = database.listen("news")
    while await listener.wait(0.2):
        """What was told before."""

    def fails(tx: Transaction) -> None:
        tx.notify("news")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(fails)
    assert not await listener.wait(0.2)


async def test_every_listener_of_a_topic_wakes_and_a_wake_up_is_not_lost_between_waits(database: Database) -> None:
    listeners = [database.listen("news") for _ in range(3)]
    for listener in listeners:
        while await listener.wait(0.2):
            """What was told before."""
    await database.write(partial(add, id_=1, topic="news"))
    await asyncio.sleep(0.1)
    assert [await listener.wait(2) for listener in listeners] == [True] * 3


async def test_a_listener_wakes_for_another_process(empty_url: str, database: Database) -> None:
    listener = database.listen("news")
    while await listener.wait(0.2):
        """What was told before."""
    child = await asyncio.create_subprocess_exec(*CHILD, empty_url, "notify")
    assert await listener.wait(15)
    assert await child.wait() == 0
    assert await database.read(ids) == [7]


# --- several processes ------------------------------------------------------------------------------------


async def test_several_processes_create_the_tables_at_once(empty_url: str) -> None:
    children = [await asyncio.create_subprocess_exec(*CHILD, empty_url, "create") for _ in range(3)]
    assert [await child.wait() for child in children] == [0, 0, 0]


@pytest.mark.cluster
async def test_one_process_leads_until_it_is_killed(database_url: str) -> None:
    child = await asyncio.create_subprocess_exec(*CHILD, database_url, "lead", stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    assert await asyncio.wait_for(child.stdout.readline(), 15) == b"leading\n"
    database, leads = PostgresDatabase(database_url), asyncio.Event()

    async def lead() -> None:
        async with database.leadership("projector"):
            leads.set()

    waiting = asyncio.create_task(lead())
    async with database.leadership("something else"):
        pass
    await asyncio.sleep(0.7)
    assert not leads.is_set()
    child.kill()
    await asyncio.wait_for(waiting, 60)
    await child.wait()
    await database.close()


async def test_a_database_nobody_can_open_is_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(DatabaseUnavailable, match=r"folder\.db"):
        open_database(f"sqlite:///{tmp_path / 'folder.db'}")
    with pytest.raises(ValueError, match="must start with"):
        open_database("mysql://x")
