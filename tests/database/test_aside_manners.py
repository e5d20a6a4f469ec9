"""What those who write to an SQLite file notice of much work beside them: little."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from shared.database import sqlite_aside, sqlite_checkpoint
from shared.database.drop import drop_gradually
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


class Rests:
    """Rests, by a clock of its own, after every transaction."""

    def __init__(self, aside: Aside, rest: Callable[[], None]) -> None:
        self._aside, self._rest = aside, rest
        self.reading, self.in_the_way, self.waits_long = aside.reading, aside.in_the_way, aside.waits_long

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        with self._aside.writing() as tx:
            yield tx
        self._rest()


async def test_a_table_is_dropped_in_no_smaller_steps_for_the_rests_between_them(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(lambda tx: add(tx, 3000))
    clock, steps = [0.0], list[float]()

    def rest() -> None:
        clock[0] += 1.0

    with database.aside() as aside, monkeypatch.context() as patched:
        patched.setattr("shared.database.drop.time.monotonic", lambda: clock[0])
        drop_gradually(Rests(aside, rest), "heaps", lambda: steps.append(clock[0]))
    assert len(steps) == 5  # of 200, 400, 800, 1600 rows
