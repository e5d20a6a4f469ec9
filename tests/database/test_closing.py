"""A database of which a thread is still at work is closed: what is cancelled goes on in its thread until it ends.

In a process of its own: an SQLite connection that is closed under a statement takes the process along.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import asyncio, sys, threading
from pathlib import Path
from shared.database import sqlite

LONG = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000) SELECT max(i) FROM n"
began = threading.Event()

def long(execute):
    began.set()
    print(execute(LONG).fetchone()[0])
    return True

def read(database):
    with database.reading() as tx:
        long(tx.connection.execute)

def write(database):
    with database.writing() as tx:
        long(tx.connection.execute)

def wipe(database):
    sqlite.emptied = lambda connection: long(connection.execute)
    database.wipe(())

def aside(database):
    with database.aside() as beside, beside.reading() as tx:
        long(tx.connection.execute)

async def main(file, work):
    database = sqlite.SqliteDatabase(Path(file))
    at_work = asyncio.create_task(asyncio.to_thread(globals()[work], database))
    await asyncio.to_thread(began.wait)
    await database.close()
    await at_work

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("work", ["read", "write", "wipe", "aside"])
def test_a_thread_that_is_at_work_as_it_is_closed_ends_its_work(tmp_path: Path, work: str) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "okno.db"), work]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "500000\n", "")


def test_what_a_thread_does_not_leave_is_left_open(tmp_path: Path) -> None:
    impatient = CHILD.replace("asyncio.run", "sqlite.CLOSE_SECONDS = 0.0\nasyncio.run")
    done = subprocess.run(
        [sys.executable, "-c", impatient, str(tmp_path / "okno.db"), "read"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, "connection_left_open" in done.stderr) == (0, "500000\n", True)
