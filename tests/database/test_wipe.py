"""Emptying SQLite's write-ahead log lets writers write, whoever reads meanwhile, and ends when the readers have."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.database.sqlite import SqliteDatabase


@pytest.fixture
def wal(tmp_path: Path) -> Path:
    return tmp_path / "okno.db-wal"


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = SqliteDatabase(tmp_path / "okno.db")
    await opened.write(lambda tx: tx.script("CREATE TABLE things (id BIGINT PRIMARY KEY)"))
    yield opened
    await opened.close()


def size_of(file: Path) -> int:
    return file.stat().st_size


def add(tx: Transaction, id_: int) -> None:
    tx.run("INSERT INTO things VALUES (?)", (id_,))


@pytest.mark.parametrize("reads_what_is_old", [True, False])
async def test_writers_go_on_while_a_reader_keeps_the_log_from_being_emptied(
    database: Database, wal: Path, reads_what_is_old: bool
) -> None:
    await database.write(partial(add, id_=0))
    with database.reading() as reader:
        reader.rows("SELECT * FROM things")
        if reads_what_is_old:
            await database.write(partial(add, id_=1))
        wiping = asyncio.create_task(asyncio.to_thread(database.wipe, ()))
        await asyncio.sleep(0.3)
        started = time.monotonic()
        for id_ in range(2, 40):
            await database.write(partial(add, id_=id_))
        assert time.monotonic() - started < 10
        assert not wiping.done()
    await wiping
    assert size_of(wal) == 0


async def test_a_reader_who_never_ends_is_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.database.sqlite.WIPE_SECONDS", 0.2)
    await database.write(partial(add, id_=0))
    with database.reading() as reader:
        reader.rows("SELECT * FROM things")
        with pytest.raises(DatabaseUnavailable, match="somebody reads"):
            await asyncio.to_thread(database.wipe, ())
