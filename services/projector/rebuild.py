"""Builds read models anew beside the live ones, compares, and switches them in one transaction.

Everything until the switch is done beside the live path (`Database.aside`), in steps that a crash can break off
anywhere: the next rebuild of the same models goes on from there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

from services.projector.rebuild_beside import beside
from services.projector.rebuild_part import BATCH, BATCH_BYTES, Part, apply, goals
from shared.clock import now, to_text
from shared.database.columns import tables_like
from shared.database.drop import drop_gradually
from shared.database.protocol import Aside, Conflict, Database, DatabaseUnavailable, Occupied, Transaction
from shared.database.schema import lock_schema
from shared.event_store.log import read_log_within
from shared.keys.place import Place
from shared.logs import Log
from shared.progress import Progress, Watcher, nobody
from shared.read_models import holes, live, rebuilds
from shared.read_models.compare import Compared, compare
from shared.read_models.rebuilds import Begun

NAME = "rebuild"
AGAIN_SECONDS = 1.0
SHOWN = 10
SWITCH_TRIES = 100
LOCK_MILLISECONDS = 200
"""Who reads a table keeps PostgreSQL from renaming it, and whoever reads next waits for that: so only for so long."""
ABANDONED = timedelta(days=1)
T = TypeVar("T")
log = Log("projector")


class Stopped(Exception):
    """The rebuild was cancelled between two steps."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to rebuild (all when empty). `switch`: make the new tables the live ones; `afresh`: resume nothing."""

    names: Sequence[str] = ()
    switch: bool = True
    afresh: bool = False
    shown: int = SHOWN


async def rebuild(
    database: Database, wanted: Wanted, watcher: Watcher = nobody, place: Place | None = None
) -> list[Compared]:
    """Rebuild read models while messages flow; return what was different.

    `place`: where the database is, if a child process may work in it too: then two cores are used. Raises KeyError for
    an unknown name, Occupied while another rebuild runs.
    """
    names = [live.models()[name].name for name in wanted.names] or list(live.models())
    async with database.sole(NAME) as watch:
        with database.aside() as aside:
            work = Rebuild(database, aside, names, wanted, watcher, place)
            return await _in_thread(work, watch, Rebuild.run)


async def rebuild_outdated(database: Database) -> None:
    """Rebuild the models whose tables an older version of them has filled; wait while another process does so."""
    while outdated := await _outdated(database):
        log.info("rebuilding", read_models=outdated)
        try:
            await rebuild(database, Wanted(outdated))
        except Occupied:
            await asyncio.sleep(AGAIN_SECONDS)


async def drop_left(database: Database) -> list[str]:
    """Drop what a rebuild that was broken off has left; return the tables. Raises Occupied while one runs."""
    async with database.sole(NAME) as watch:
        with database.aside() as aside:
            return await _in_thread(Rebuild(database, aside, (), Wanted(), nobody), watch, Rebuild.drop_left)


async def drop_abandoned(database: Database, at: datetime) -> list[str]:
    """Drop what nobody will go on with: old tables, and a rebuild that was broken off a day ago or earlier."""
    taken_up = await database.read(rebuilds.taken_up_at)
    if taken_up is None and not await database.read(rebuilds.left_tables):
        return []
    if taken_up is not None and taken_up > to_text(at - ABANDONED):
        return []
    with suppress(Occupied):
        return await drop_left(database)
    return []


async def _outdated(database: Database) -> list[str]:
    standings = await database.read(live.standings)
    return [name for name, standing in standings.items() if standing.version != live.models()[name].version]


async def _in_thread(work: Rebuild, watch: Callable[[], Awaitable[None]], run: Callable[[Rebuild], T]) -> T:
    """Run the work in a thread of its own; whatever ends the wait stops it between two steps."""
    watching = asyncio.ensure_future(watch())
    with ThreadPoolExecutor(1, "okno-rebuild") as threads:
        running = asyncio.get_running_loop().run_in_executor(threads, run, work)
        try:
            await asyncio.wait((running, watching), return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                watching.result()
            return await running
        finally:
            work.stop.set()
            watching.cancel()
            await asyncio.gather(running, watching, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Rebuild:
    """One rebuild, in a thread. Every method but `_switch` may be broken off and repeated."""

    database: Database
    aside: Aside
    names: Sequence[str]
    wanted: Wanted
    watcher: Watcher
    place: Place | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> list[Compared]:
        begun = self.build()
        compared = self._compare(begun)
        self._part(begun).fill()
        if self.wanted.switch:
            self._switch(begun)
        else:
            with self.database.writing() as tx:
                at = rebuilds.positions(tx)
                rebuilds.move(tx, begun, at, at)  # raises Overtaken
                rebuilds.forget(tx)
        self._drop()
        return compared

    def build(self) -> Begun:
        """Bring new tables, with their indexes, to where the live ones are; long work is shared with a child."""
        owner, at = str(uuid4()), now()
        with self.database.writing() as tx:
            begun = rebuilds.take_up(tx, self.names, owner, at, afresh=self.wanted.afresh)
        self._drop()
        whole = self._part(begun)
        with beside(whole, self.place) as (share, wait_for_the_other):
            share.fill()
            share.make_indexes()
            wait_for_the_other()
        whole.fill()
        whole.make_indexes()
        whole.fill()
        return begun

    def drop_left(self) -> list[str]:
        """Drop the tables of all rebuilds; return their names."""
        with self.database.writing() as tx:
            rebuilds.forget(tx)
        return self._drop()

    def _drop(self) -> list[str]:
        with self.aside.reading() as tx:
            left = rebuilds.left_tables(tx)
        for number, table in enumerate(left, 1):
            drop_gradually(self.aside, table, self._goes_on)
            self.watcher(Progress("dropping", number, len(left)))
        return left

    def _part(self, begun: Begun) -> Part:
        return Part(self.aside, begun, self.names, self.watcher, self._goes_on)

    def _compare(self, begun: Begun) -> list[Compared]:
        """Compare in a snapshot in which both are equally far; the live ones wait only for the last step."""
        with self.database.reading() as tx:
            standings = live.standings(tx)
        outdated = {name for name in self.names if standings[name].version != live.models()[name].version}
        while True:
            self._goes_on()
            self._part(begun).fill()
            with self.database.writing() as tx:
                _meet(tx, self.names, begun)
            with self.aside.reading() as tx:
                if rebuilds.positions(tx) == goals(tx, self.names):
                    return [each for name in self.names for each in self._model(tx, name, begun, name in outdated)]

    def _model(self, tx: Transaction, name: str, begun: Begun, outdated: bool) -> Iterator[Compared]:
        for table in live.models()[name].tables:
            self._goes_on()
            rebuilt = begun.prefix + table
            if outdated:
                row = tx.row(f"SELECT count(*) FROM {rebuilt}")
                yield Compared(table, row[0] if row else 0, incomparable="an older version filled it")
            else:
                yield compare(tx, table, rebuilt, self.wanted.shown)
            self.watcher(Progress(f"comparing {table}", 1, 1))

    def _switch(self, begun: Begun) -> None:
        """Make the new tables the live ones, all in one transaction; on PostgreSQL as soon as nobody reads the old."""
        if self.database.dialect == "postgres":
            self._analyze(begun)
        self.watcher(Progress("switching", 0, 1))
        for again in range(SWITCH_TRIES):
            self._goes_on()
            try:
                with self.database.writing() as tx:
                    _switch(tx, self.names, begun)
                self.watcher(Progress("switching", 1, 1))
                return
            except (Conflict, DatabaseUnavailable):
                if again == SWITCH_TRIES - 1:
                    raise
                self.stop.wait(AGAIN_SECONDS / 10)
            self._part(begun).fill()

    def _analyze(self, begun: Begun) -> None:
        """Plans made for tables of which nothing is known read the whole of them."""
        for name in self.names:
            for table in live.models()[name].tables:
                with self.aside.writing() as tx:
                    tx.run(f"ANALYZE {begun.prefix}{table}")

    def _goes_on(self) -> None:
        if self.stop.is_set():
            raise Stopped


def _switch(tx: Transaction, names: Sequence[str], begun: Begun) -> None:
    """With the live tables held still: catch up with the little that came since, then rename."""
    if tx.dialect == "postgres":
        tx.run(f"SET LOCAL lock_timeout TO '{LOCK_MILLISECONDS}ms'")
    lock_schema(tx)
    _meet(tx, names, begun)
    for name in names:
        for table in live.models()[name].tables:
            _put_in_place(tx, table, begun)
        tx.run("UPDATE read_model_positions SET version = ? WHERE name = ?", (live.models()[name].version, name))
    rebuilds.forget(tx)
    live.note_switch(tx)


def _meet(tx: Transaction, names: Sequence[str], begun: Begun) -> None:
    """Bring the new tables to where the live ones are, which stand still until the transaction ends."""
    until = {name: standing.position for name, standing in live.standings(tx, lock=True, names=names).items()}
    at = rebuilds.positions(tx)
    rebuilds.move(tx, begun, at, until)
    for name in names:
        _catch_up(tx, name, begun.prefix, at[name], until[name])


def _put_in_place(tx: Transaction, table: str, begun: Begun) -> None:
    """PostgreSQL drops the old table at once; SQLite's is dropped little by little afterwards."""
    if tx.dialect == "postgres":
        from shared.database.postgres_likeness import take_the_place_of

        take_the_place_of(tx.connection, table, begun.prefix + table)
        return
    if table in tables_like(tx, table):
        tx.run(f"ALTER TABLE {table} RENAME TO {begun.prefix}{rebuilds.OLD}{table}")
    tx.run(f"ALTER TABLE {begun.prefix}{table} RENAME TO {table}")


def _catch_up(tx: Transaction, name: str, prefix: str, after: int, until: int) -> None:
    while after < until:
        events = read_log_within(tx, after, BATCH, BATCH_BYTES)
        holes.note(tx, holes.of(events))
        apply(tx, name, prefix, events, after, until)
        after = events[-1].position if events else until
