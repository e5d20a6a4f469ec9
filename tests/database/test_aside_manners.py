"""What those who write to an SQLite file notice of much work beside them: little."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.database import sqlite_aside, sqlite_checkpoint
from shared.database.drop import HOLD_SECONDS, drop_gradually
from shared.database.protocol import Aside, Transaction
from shared.database.sqlite import SqliteDatabase
from shared.database.sqlite_aside import (
    LONG_SECONDS,
    MEAN_OF,
    MOMENT_SECONDS,
    REST_SECONDS,
    RESTS,
    rest_seconds,
)
from shared.database.sqlite_turns import Turns

KEPT_BYTES = 100_000


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "okno.db")
    await opened.write(lambda tx: tx.script("CREATE TABLE heaps (id INTEGER PRIMARY KEY, data BLOB)"))
    yield opened
    await opened.close()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The files that were brought to the disk of their own accord, by inode."""
    found: list[int] = []
    monkeypatch.setattr(sqlite_checkpoint, "_sync", lambda file: found.append(os.fstat(file).st_ino))
    return found


def add(tx: Transaction, rows: int = 1) -> None:
    tx.run_many("INSERT INTO heaps (data) VALUES (?)", [(bytes(1000),)] * rows)


def add_aside(aside: Aside, rows: int = 1) -> None:
    with aside.writing() as tx:
        add(tx, rows)


def size_of(file: Path) -> int:
    return file.stat().st_size


def inode(file: Path) -> int:
    return file.stat().st_ino


def test_the_lock_is_left_alone_for_longer_when_others_want_it() -> None:
    assert rest_seconds(0.001, wanted=True) == RESTS * 0.001
    assert rest_seconds(1.0, wanted=True) == REST_SECONDS
    assert rest_seconds(0.001, wanted=False) == 0.001
    assert rest_seconds(1.0, wanted=False) == MOMENT_SECONDS


async def test_whoever_commits_next_need_not_wait_for_what_was_written_aside(
    database: SqliteDatabase, synced: list[int]
) -> None:
    with database.aside() as aside:
        add_aside(aside)
        assert synced == []
        await database.write(add)
        add_aside(aside)
        assert synced == [inode(Path(f"{database.path}-wal"))]
        add_aside(aside)
        assert len(synced) == 2


async def test_where_others_want_nothing_the_next_work_is_made_while_the_lock_is_left_alone(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests, is_over = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        rests.set()
        assert is_over.wait(10)

    monkeypatch.setattr(sqlite_aside.time, "sleep", sleep)
    with database.aside() as aside:
        add_aside(aside)
        assert rests.wait(10)
        with aside.writing() as tx:
            assert tx.rows("SELECT count(*) FROM heaps") == [(1,)]
        writing = threading.Thread(target=add_aside, args=(aside,))
        writing.start()
        writing.join(0.1)
        assert writing.is_alive()
        is_over.set()
        writing.join(10)
        assert not writing.is_alive()


async def test_what_fails_while_the_lock_is_left_alone_is_told_once(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Turns, *, others_wrote: bool) -> None:
        gives_back(self, others_wrote=others_wrote)
        raise OSError("no space left")

    gives_back = Turns.give_back
    with database.aside() as aside:
        monkeypatch.setattr(Turns, "give_back", full)
        add_aside(aside)
        with pytest.raises(OSError, match="no space left"):
            add_aside(aside)
        monkeypatch.setattr(Turns, "give_back", gives_back)
        add_aside(aside)
    monkeypatch.setattr(Turns, "give_back", full)
    with database.aside() as aside:
        add_aside(aside)
    with database.reading() as tx:
        assert tx.rows("SELECT count(*) FROM heaps") == [(3,)]


async def test_what_was_written_before_the_first_turn_is_nobody_who_is_at_work(database: SqliteDatabase) -> None:
    with database.aside() as aside:
        await database.write(add)
        add_aside(aside)
        assert not aside.in_the_way()
        await database.write(add)
        add_aside(aside)
        assert aside.in_the_way()


async def test_the_log_keeps_little_after_work_beside(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_aside, "KEPT_BYTES", KEPT_BYTES)
    log = Path(f"{database.path}-wal")
    with database.aside() as aside:
        add_aside(aside, 1000)
        assert size_of(log) > KEPT_BYTES
        with sqlite3.connect(database.path) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.close()
        add_aside(aside)
        assert size_of(log) <= KEPT_BYTES


async def test_who_waits_long_for_the_lock_says_so_until_it_comes_at_once_again(database: SqliteDatabase) -> None:
    other = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)
    with database.aside() as aside:
        add_aside(aside)
        assert not aside.waits_long()
        other.execute("BEGIN IMMEDIATE")
        leaving = threading.Timer(2 * MEAN_OF * LONG_SECONDS, other.rollback)
        leaving.start()
        add_aside(aside)
        assert aside.waits_long()
        leaving.join()
        for _ in range(5 * MEAN_OF):
            add_aside(aside)
        assert not aside.waits_long()
    other.close()


class Holds:
    """Holds the lock for so long in every transaction, as it says itself."""

    def __init__(self, aside: Aside, seconds: float) -> None:
        self.reading, self.writing = aside.reading, aside.writing
        self.in_the_way, self.waits_long = aside.in_the_way, aside.waits_long
        self.held_seconds = lambda: seconds


@pytest.mark.parametrize(("held", "steps"), [(0.0, 5), (HOLD_SECONDS, 16), (4 * HOLD_SECONDS, 140)])
async def test_a_table_is_dropped_in_steps_as_large_as_the_lock_may_be_held(
    database: SqliteDatabase, held: float, steps: int
) -> None:
    await database.write(lambda tx: add(tx, 3000))
    done: list[None] = []
    with database.aside() as aside:
        drop_gradually(Holds(aside, held), "heaps", lambda: done.append(None))
    assert len(done) == steps  # of 200, 400, 800, 1600 rows; of 200; of 200, 50, 20


async def test_for_how_long_the_lock_was_held_is_told_without_the_wait_for_it(database: SqliteDatabase) -> None:
    other = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)
    with database.aside() as aside:
        other.execute("BEGIN IMMEDIATE")
        leaving = threading.Timer(0.5, other.rollback)
        leaving.start()
        add_aside(aside)
        leaving.join()
        assert 0 < aside.held_seconds() < 0.4
    other.close()


async def test_a_log_that_cannot_be_brought_to_the_disk_ends_nothing(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(number: int) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(sqlite_checkpoint, "_sync", broken)
    with database.aside() as aside:
        monkeypatch.setattr(aside, "in_the_way", lambda: True)
        add_aside(aside)
    with database.reading() as tx:
        assert tx.rows("SELECT count(*) FROM heaps")[0][0] > 0
