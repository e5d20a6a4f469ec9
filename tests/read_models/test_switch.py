"""What others see while rebuilt tables become the live ones: all of the old or all of the new, never some of each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from services.projector.rebuild import Wanted, rebuild
from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.event_store.store import EventStore
from shared.progress import Progress
from tests.read_models.contents import TABLES, show
from tests.read_models.test_read_models import long_history, record

COUNTS = "SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in TABLES)


@pytest.fixture
async def database(sqlite_url: str):
    """SQLite alone: on PostgreSQL whoever looks waits until the switch is over."""
    opened = open_database(sqlite_url)
    yield opened
    await opened.close()


def at_every_statement(database: Database, look: Callable[[], object]) -> Callable[[Progress], None]:
    """Return a watcher that has `look` called before each statement of the switch."""

    def watch(progress: Progress) -> None:
        if progress.step == "switching":
            with database.writing() as tx:  # of the thread that switches: the same connection
                tx.connection.set_trace_callback(None if progress.done else lambda _: look())  # type: ignore[attr-defined]

    return watch


async def test_whoever_looks_during_a_switch_sees_all_tables_as_before_or_all_as_after(
    database: Database, store: EventStore, tmp_path: Path
) -> None:
    await record(store, long_history(100))
    await show(database)
    after = await database.read(counts)
    await database.write(empty)
    with closing(sqlite3.connect(tmp_path / "okno.db", check_same_thread=False)) as other:
        seen: list[tuple[int, ...]] = []
        await rebuild(database, Wanted(), at_every_statement(database, lambda: seen.append(counted(other))))
        assert counted(other) == after
    assert len(seen) > 2 * len(TABLES)
    assert {each for each in seen if each != after} == {(0,) * len(TABLES)}


def counts(tx: Transaction) -> tuple[int, ...]:
    return tuple(tx.row(COUNTS) or ())


def counted(connection: sqlite3.Connection) -> tuple[int, ...]:
    return tuple(connection.execute(COUNTS).fetchone())


def empty(tx: Transaction) -> None:
    """Make what is there differ from what is built anew in every table that has anything."""
    for table in TABLES:
        tx.run(f"DELETE FROM {table}")
