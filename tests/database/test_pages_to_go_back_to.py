"""What SQLite keeps to take back a statement or a job is not written to a file: it would be half of all that is
written."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from shared.database.protocol import Conflict, Transaction
from shared.database.sqlite import SqliteDatabase

ROWS = 20_000
"""On so many pages that what is kept of them would not stay in memory by itself."""
UPSERT = "ON CONFLICT (id) DO UPDATE SET name = excluded.name"


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "okno.db")
    await database.write(lambda tx: tx.script("CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT NOT NULL)"))
    await database.write(lambda tx: tx.script("CREATE INDEX things_name ON things (name)"))
    await database.write(lambda tx: insert(tx, range(ROWS)))
    yield database
    await database.close()


def insert(tx: Transaction, ids: range, tail: str = "") -> None:
    """Names lie anywhere in their index: each row changes a page of its own."""
    tx.insert_many("things", ("id", "name"), [(id_, str(uuid4())) for id_ in ids], tail)


def temporary_files() -> list[str]:
    """Return the files that SQLite has opened for itself; it deletes them at once (sqlite.org/tempfiles.html)."""
    found: list[str] = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the folder itself, which was open
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return [path for path in found if "etilqs_" in path]


async def test_rows_inserted_together_need_no_file_to_be_taken_back(database: SqliteDatabase) -> None:
    with database.writing() as tx:
        insert(tx, range(ROWS, ROWS + 1000))
        assert temporary_files() == []


@pytest.mark.parametrize("brief", [True, False])
async def test_jobs_that_share_a_commit_need_no_file_to_be_taken_back(database: SqliteDatabase, brief: bool) -> None:
    open_: list[list[str]] = []

    def job(tx: Transaction, ids: range) -> None:
        insert(tx, ids, UPSERT)
        open_.append(temporary_files())

    some = [range(n, n + 1000) for n in (0, ROWS)]
    jobs = [database.write(partial(job, ids=ids), brief=brief) for ids in some]
    await asyncio.gather(*jobs)
    assert open_ == [[], []]


async def test_of_rows_that_were_inserted_before_one_is_refused_none_stays(database: SqliteDatabase) -> None:
    with pytest.raises(Conflict), database.writing() as tx:
        insert(tx, range(ROWS + 99, ROWS - 2, -1))
    with database.reading() as tx:
        assert tx.row("SELECT count(*), max(id) FROM things") == (ROWS, ROWS - 1)
