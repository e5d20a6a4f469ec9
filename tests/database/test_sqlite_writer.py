"""What only an SQLite file's writer has: brief jobs on the event loop, the log beside the file, other processes."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from shared.database.protocol import Conflict, DatabaseUnavailable, Transaction
from shared.database.sqlite import SqliteDatabase
from shared.database.sqlite_checkpoint import COPY_BYTES, Checkpoints
from shared.database.sqlite_writer import BRIEF_SECONDS, SqliteWriter


@pytest_asyncio.fixture
async def database(tmp_path: Path):
    database = SqliteDatabase(tmp_path / "okno.db")
    await database.write(lambda tx: tx.script("CREATE TABLE things (id INTEGER PRIMARY KEY, data BLOB)"))
    yield database
    await database.close()


def add(tx: Transaction, id_: int) -> int:
    return tx.run("INSERT INTO things (id) VALUES (?)", (id_,))


def ids(tx: Transaction) -> list[int]:
    return [id_ for (id_,) in tx.rows("SELECT id FROM things ORDER BY id")]


async def test_brief_jobs_of_one_moment_share_a_commit_and_only_the_bad_one_fails(database: SqliteDatabase) -> None:
    await database.write(lambda tx: add(tx, 7))
    thread = threading.get_ident()
    seen: set[int] = set()

    def job(tx: Transaction, id_: int) -> None:
        seen.add(threading.get_ident())
        add(tx, id_)

    jobs = [database.write(lambda tx, n=n: job(tx, n), brief=True) for n in range(10)]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Conflict)] == [7]
    assert seen == {thread}
    assert await database.read(ids) == list(range(10))


@pytest.mark.parametrize(("brief", "prompt"), [(True, True), (True, False), (False, False)])
async def test_what_is_confirmed_was_committed_with_the_disk_waited_for(
    database: SqliteDatabase, brief: bool, prompt: bool
) -> None:
    """FULL is 2 (sqlite.org/pragma.html#pragma_synchronous); work aside does not wait, on connections of its own."""
    with database.aside() as aside, aside.writing() as tx:
        add(tx, 1)
    wanted = {"synchronous": 2, "journal_mode": "wal"}
    found = {name: await database.write(partial(pragma, name=name), brief=brief, prompt=prompt) for name in wanted}
    with database.writing() as tx:
        assert {name: pragma(tx, name) for name in wanted} == found == wanted


def pragma(tx: Transaction, name: str) -> object:
    (value,) = tx.row(f"PRAGMA {name}") or ()
    return value


async def test_brief_and_long_jobs_keep_their_order(database: SqliteDatabase) -> None:
    order: list[int] = []
    jobs = [database.write(lambda tx, n=n: order.append(n), brief=n % 3 != 0) for n in range(200)]
    await asyncio.gather(*jobs)
    assert order == list(range(200))


async def test_prompt_jobs_go_first_but_not_twice_while_others_wait(database: SqliteDatabase) -> None:
    order: list[str] = []

    def job(name: str, again: bool = False) -> None:
        order.append(name)
        if again:  # another prompt one comes while this transaction runs
            jobs.append(asyncio.ensure_future(write("prompt 2", prompt=True)))

    def write(name: str, *, prompt: bool = False, again: bool = False):
        return database.write(lambda tx: job(name, again), brief=True, prompt=prompt)

    first = database.write(lambda tx: order.append("running"))
    jobs = [*map(asyncio.ensure_future, (first, write("first"), write("prompt 1", prompt=True, again=True)))]
    while not all(each.done() for each in jobs):
        await asyncio.gather(*jobs)
    assert order == ["prompt 1", "running", "prompt 2", "first"]


async def test_jobs_of_one_moment_that_take_long_are_committed_one_by_one(database: SqliteDatabase) -> None:
    seen: list[int] = []

    def job(tx: Transaction, id_: int) -> None:
        seen.append(len(sqlite3.connect(database.path).execute("SELECT id FROM things").fetchall()))
        add(tx, id_)
        time.sleep(2 * BRIEF_SECONDS)

    await asyncio.gather(*(database.write(lambda tx, n=n: job(tx, n), brief=True) for n in range(3)))
    assert seen == [0, 1, 2]


async def test_what_this_process_commits_wakes_only_those_who_listen_to_it(database: SqliteDatabase) -> None:
    news, others = database.listen("news"), database.listen("other things")
    for number in range(3):
        await database.write(lambda tx, n=number: [add(tx, n), tx.notify("news")], brief=True)
        assert await news.wait(5.0)
        assert not await others.wait(0.0)


@pytest.mark.parametrize("brief", [True, False])
async def test_what_another_process_commits_wakes_everybody_however_busy_the_writer_is(
    database: SqliteDatabase, brief: bool
) -> None:
    listener, other = database.listen("news"), sqlite3.connect(database.path, isolation_level=None)
    for number in range(20):
        await database.write(lambda tx, n=number: add(tx, n), brief=brief)
        assert not await listener.wait(0.0)
        other.execute("INSERT INTO things (id) VALUES (?)", (100 + number,))
        writing = asyncio.ensure_future(database.write(lambda tx, n=number: add(tx, 200 + n), brief=brief))
        assert await listener.wait(5.0)
        await writing
    other.close()


async def test_a_bug_in_a_brief_job_writes_nothing_and_the_next_job_goes_on(database: SqliteDatabase) -> None:
    def broken(tx: Transaction) -> None:
        add(tx, 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(broken, brief=True)
    await database.write(lambda tx: add(tx, 2), brief=True)
    assert await database.read(ids) == [2]


async def test_the_loop_goes_on_while_another_process_writes(database: SqliteDatabase) -> None:
    other = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    writing = asyncio.create_task(database.write(lambda tx: add(tx, 1), brief=True))
    turns = 0
    while time.monotonic() - began < 0.3:
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 5
    assert not writing.done()
    other.execute("ROLLBACK")
    other.close()
    assert await writing == 1


async def test_brief_jobs_that_waited_for_another_process_run_on_the_loop_as_soon_as_it_has_ended(
    database: SqliteDatabase,
) -> None:
    other = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threads: list[threading.Thread] = []

    def job(tx: Transaction) -> int:
        threads.append(threading.current_thread())
        return add(tx, len(threads))

    writing = [asyncio.create_task(database.write(job, brief=True)) for _ in range(3)]
    await asyncio.sleep(0.05)
    other.execute("COMMIT")
    other.close()
    assert await asyncio.gather(*writing) == [1, 1, 1]
    assert threads == [threading.main_thread()] * 3


def test_a_loop_that_closed_while_its_jobs_waited_for_another_process_keeps_no_lock(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "okno.db")
    other = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)

    def end_of_the_other() -> None:
        other.execute("COMMIT")
        time.sleep(0.1)  # the lock is given to the jobs after the last thing that this loop does

    async def leave() -> asyncio.Task[int]:
        await database.write(lambda tx: tx.script("CREATE TABLE things (id INTEGER PRIMARY KEY, data BLOB)"))
        other.execute("BEGIN IMMEDIATE")
        left = asyncio.create_task(database.write(lambda tx: add(tx, 1), brief=True))
        await asyncio.sleep(0.02)
        asyncio.get_running_loop().call_soon(end_of_the_other)
        return left

    async def go_on() -> list[int]:
        async with asyncio.timeout(5):
            await database.write(lambda tx: add(tx, 2), brief=True)
            return await database.read(ids)

    loop = asyncio.new_event_loop()
    left = loop.run_until_complete(leave())
    loop.close()
    assert asyncio.run(go_on()) == [2]
    assert not left.done()
    asyncio.run(database.close())
    other.close()


async def test_a_cancelled_waiter_leaves_the_others_standing(database: SqliteDatabase) -> None:
    first = asyncio.create_task(database.write(lambda tx: add(tx, 1), brief=True))
    second = asyncio.create_task(database.write(lambda tx: add(tx, 2), brief=True))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 1
    assert await database.read(ids) == [1, 2]


async def test_close_commits_what_waits(database: SqliteDatabase, tmp_path: Path) -> None:
    another = SqliteDatabase(database.path)
    tasks = [asyncio.create_task(another.write(lambda tx, n=n: add(tx, n), brief=n % 2 == 0)) for n in range(100)]
    await asyncio.sleep(0)
    await another.close()
    assert [await task for task in tasks] == [1] * 100
    assert await database.read(ids) == list(range(100))


def test_jobs_left_by_a_loop_that_closed_hold_up_no_other(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "okno.db")
    release = threading.Event()

    async def leave() -> None:
        await database.write(lambda tx: tx.script("CREATE TABLE things (id INTEGER PRIMARY KEY, data BLOB)"))
        long = asyncio.create_task(database.write(lambda tx: release.wait(5)))
        brief = asyncio.create_task(database.write(lambda tx: add(tx, 1), brief=True))
        await asyncio.wait((long, brief), timeout=0.05)

    async def go_on() -> list[int]:
        asyncio.get_running_loop().call_later(0.05, release.set)
        await database.write(lambda tx: add(tx, 2), brief=True)
        found = await database.read(ids)
        await database.close()
        return found

    asyncio.run(leave())
    assert asyncio.run(go_on()) == [2]


async def test_the_log_beside_the_file_stays_bounded_while_writing_goes_on(database: SqliteDatabase) -> None:
    wal, sizes = f"{database.path}-wal", [0]
    page = b"x" * 100_000
    for _ in range(3 * COPY_BYTES // (len(page) * 4)):
        for _ in range(4):
            await database.write(lambda tx: tx.run("INSERT INTO things (data) VALUES (?)", (page,)), brief=True)
        sizes.append(_size(wal))
    assert COPY_BYTES < max(sizes) < 2 * COPY_BYTES


def _size(file: str) -> int:
    return os.path.getsize(file)


class Breaking:
    """A connection of which some statements fail, once each."""

    def __init__(self, connection: sqlite3.Connection, *failing: str) -> None:
        self._connection, self.failing = connection, list(failing)

    def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
        if sql in self.failing:
            self.failing.remove(sql)
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(sql, *arguments)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


@pytest.mark.parametrize("brief", [True, False])
async def test_a_disk_that_fails_even_the_rollback_holds_up_nobody_after_it(
    database: SqliteDatabase, brief: bool
) -> None:
    connection = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)
    writer = SqliteWriter(Breaking(connection, "COMMIT", "ROLLBACK"), Checkpoints(database.path, connect), ignored)
    async with asyncio.timeout(20):
        with pytest.raises(DatabaseUnavailable, match="disk I/O"):
            await writer.do(lambda tx: add(tx, 1), brief=brief)
        with suppress(DatabaseUnavailable, sqlite3.OperationalError):  # the transaction that hung on is ended first
            await writer.do(lambda tx: add(tx, 2), brief=brief)
        await writer.do(lambda tx: add(tx, 3), brief=brief)
    writer.stop()
    connection.close()
    assert 1 not in await database.read(ids)
    assert 3 in await database.read(ids)


def test_copying_goes_on_until_little_came_meanwhile(tmp_path: Path) -> None:
    copied = [20_000, 20_600, 20_800, 20_840, 20_850]

    class Busy:
        """Somebody writes all the time; a pass copies what there is when it begins."""

        def execute(self, sql: str) -> Busy:
            assert sql == "PRAGMA wal_checkpoint(PASSIVE)"
            return self

        def fetchone(self) -> tuple[int, int, int]:
            pages = copied.pop(0)
            return 0, pages, pages

    Checkpoints(tmp_path / "okno.db", Busy)._copy()  # type: ignore[arg-type]
    assert copied == [20_850]


async def test_what_is_committed_is_confirmed_whatever_becomes_of_the_checkpoint(database: SqliteDatabase) -> None:
    checkpoints = Checkpoints(Path(f"{database.path}/no folder"), connect)
    connection = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)
    writer = SqliteWriter(connection, checkpoints, ignored)
    async with asyncio.timeout(20):
        for number in range(40):
            assert await writer.do(lambda tx, n=number: add(tx, n), brief=True) == 1
    writer.stop()
    checkpoints.stop()
    connection.close()


async def test_a_full_disk_is_told_to_everybody_who_waits_as_such(database: SqliteDatabase) -> None:
    pages = await database.write(lambda tx: tx.rows("PRAGMA page_count")[0][0])
    await database.write(lambda tx: tx.rows(f"PRAGMA max_page_count = {pages + 4}"))
    sql = "INSERT INTO things (data) VALUES (zeroblob(100000))"
    jobs = [database.write(lambda tx: tx.run(sql), brief=True) for _ in range(5)]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 5


def connect() -> sqlite3.Connection:
    raise DatabaseUnavailable("no connection")


def ignored(topics: set[str]) -> None:
    """Nobody listens."""
