"""What a rebuild does while it holds the lock that others want: nothing but write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.projector import rebuild_part
from services.projector.rebuild import Rebuild, Wanted
from shared.database.protocol import Aside, Database, Transaction
from shared.event_store.store import EventStore
from shared.progress import Progress, nobody
from shared.read_models import live, rebuilds
from tests.read_models.test_read_models import long_history, record

READER = "okno-rebuild-read"
WAIT_SECONDS = 0.2
"""So long the reading ahead waits to be overtaken by a writing."""


class Watching:
    """Counts what is read ahead while something is written; that waits for a writing, as long as there may be one.

    Refuses to be read by two at a time: there is one connection to read by.
    """

    def __init__(self, aside: Aside, *, others_write: bool) -> None:
        self._aside, self.others_write, self.dialect = aside, others_write, aside.dialect
        self._reads = threading.Lock()
        self._writes = threading.Event()
        self.readings = self.at_once = 0

    def in_the_way(self) -> bool:
        return self.others_write

    def waits_long(self) -> bool:
        return False

    def held_seconds(self) -> float:
        return self._aside.held_seconds()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        if threading.current_thread().name.startswith(READER):
            self.readings += 1
        assert self._reads.acquire(blocking=False)
        try:
            if threading.current_thread().name.startswith(READER):
                self.at_once += self._writes.wait(WAIT_SECONDS)
            with self._aside.reading() as tx:
                yield tx
        finally:
            self._reads.release()

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        self._writes.set()
        with self._aside.writing() as tx:
            yield tx
        self._writes.clear()


async def test_postgres_reads_events_while_others_are_written_and_sqlite_holds_no_lock_meanwhile(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_part, "BATCH", 20)
    await record(store, long_history())
    await database.write(lambda tx: live.move(tx, list(live.models()), 100))
    with database.aside() as aside:
        watching = Watching(aside, others_write=False)
        work = Rebuild(database, watching, list(live.models()), Wanted(), nobody)
        work.build()
        work.drop_left()
    assert (watching.readings, watching.at_once > 0) == ((4, True) if database.dialect == "postgres" else (0, False))


@pytest.mark.parametrize("others_write", [True, False])
async def test_where_others_write_sqlite_makes_indexes_while_the_tables_are_small(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch, others_write: bool
) -> None:
    monkeypatch.setattr(rebuild_part, "BATCH", 20)
    monkeypatch.setattr(rebuild_part, "EARLY", 30)
    await record(store, long_history())
    await database.write(lambda tx: live.move(tx, list(live.models()), 100))
    at: list[int] = []

    with database.aside() as aside:
        watching = Watching(aside, others_write=False)

        def note(progress: Progress) -> None:
            watching.others_write = others_write  # from the first step on, while the second is read
            if progress.step == "indexes":
                with database.reading() as tx:
                    at.append(rebuilds.positions(tx)["timeline"])

        work = Rebuild(database, watching, list(live.models()), Wanted(), note)
        work.build()
        work.drop_left()
    assert min(at) == (20 if others_write and database.dialect == "sqlite" else 100)
