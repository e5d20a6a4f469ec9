"""Runs an analyst's projection over the log, into tables of its own; its position moves in their transaction.

The tables lie in a database of the projection's own, or in PostgreSQL in a schema of its own: they cannot clash with
ours.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count, takewhile

from services.projector.projection import BrokenProjection, Projection, Tables, told
from shared.clock import to_text
from shared.database.drop import SQLITE_OBJECTS
from shared.database.protocol import Database, DatabaseUnavailable, Row, Transaction
from shared.database.sqlite_transaction import translated
from shared.domain.events import Recorded
from shared.event_store.erasures import number
from shared.event_store.log import head, read_log
from shared.event_store.moments import position_at, position_before
from shared.event_store.store import EventStore
from shared.logs import Log
from shared.progress import Progress, Watcher, nobody
from shared.said import said, said_with_kind

BATCH = 1000
IDLE_SECONDS = 5.0
OUTAGE_SECONDS = 1.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS replay_position (
    name TEXT PRIMARY KEY, version TEXT NOT NULL, source TEXT NOT NULL, since TEXT NOT NULL, position BIGINT NOT NULL,
    made TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS replay_erasures (name TEXT PRIMARY KEY, number BIGINT NOT NULL)
"""
log = Log("projector")


class Emptied(Exception):
    """The tables are gone: somebody was erased, and what they had is to be made anew."""


class OtherProjection(Exception):
    """The tables were filled by something else than what is asked for now; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A projection, the database with the log, and the one with its tables."""

    projection: Projection
    source: Database
    target: Database

    async def begin(self, since: datetime | None, *, restart: bool) -> int:
        """Create the tables, or find them; return the position they contain. `restart`: make them anew.

        They are made anew as well when somebody was erased since: they may have what was readable then.

        Raises OtherProjection, BrokenProjection.
        """
        start = await self.source.read(partial(position_before, at=since)) if since else 0
        text = to_text(since) if since else ""
        erasures = await self.source.read(number)
        return await asyncio.to_thread(self._begin, text, start, restart, erasures)

    async def run(self, position: int, until: datetime | None, watcher: Watcher = nobody) -> int:
        """Apply what was recorded after a position, up to a moment or to the log's end; return the position reached.

        Raises BrokenProjection: everything before the batch that failed is kept, and the next run goes on there.
        Raises Emptied when an erasure took the tables away: they are to be begun anew.
        """
        goal, before = await self.source.read(head), position
        ahead = asyncio.create_task(self._read(position))
        try:
            while (events := await ahead) and position < goal:
                wanted = events if until is None else list(takewhile(partial(_not_after, until), events))
                ahead = asyncio.create_task(self._read(events[-1].position))
                if wanted:
                    await asyncio.to_thread(self._apply, position, wanted)
                    position = wanted[-1].position
                    watcher(Progress("events", min(position, goal), goal, before))
                if len(wanted) < len(events):
                    break
        finally:
            ahead.cancel()
        return position

    async def refuse_later(self, position: int, until: datetime) -> None:
        """Raises OtherProjection where the tables at a position have more than what was recorded until a moment."""
        if position > await self.source.read(partial(position_at, at=until)):
            raise OtherProjection(
                f"the tables of {self.projection.name} have what was recorded later than that already:"
                " --restart makes them anew"
            )

    async def run_through(
        self, position: int, since: datetime | None, until: datetime | None = None, watcher: Watcher = nobody
    ) -> int:
        """Run, and begin anew when an erasure took the tables away meanwhile: it does so after it was recorded."""
        while True:
            try:
                return await self.run(position, until, watcher)
            except Emptied:
                position = await self.begin(since, restart=False)

    async def follow(self, store: EventStore, since: datetime | None = None) -> None:
        """Keep the tables at the log's end until cancelled; wait while a database is out of reach."""
        listener, is_known, position, erasures = store.listen(), False, 0, 0
        while True:
            try:
                is_known = is_known and await asyncio.to_thread(self._begins) is not None
                if erasures != (erasures := await self.source.read(number)) or not is_known:
                    position, is_known = await self.begin(since, restart=False), True
                position = await self.run_through(position, since)
                await listener.wait(IDLE_SECONDS)
            except DatabaseUnavailable as error:
                log.warning("replay_waiting", error=said(error)[:500])
                is_known = False  # what was applied before it broke off is in the tables
                await asyncio.sleep(OUTAGE_SECONDS)

    def select(self, query: str) -> tuple[list[str], list[Row]]:
        """Return the names of the columns and the rows of a query over the tables. Raises BrokenProjection."""
        with self.target.reading() as tx:
            _enter(tx, self._namespace)
            try:
                with _only_read(tx):
                    cursor = tx.connection.execute(query)
                    if cursor.description is None:
                        raise BrokenProjection("the query returns no table")
                    return _different([column[0] for column in cursor.description]), cursor.fetchall()
            except Exception as error:
                raise _broken(error, "the query") from error

    async def begins(self) -> str:
        """Return since when the tables have history, as text; empty: from its first event."""
        return await asyncio.to_thread(self._begins) or ""

    @property
    def _namespace(self) -> str:
        return f"replay_{self.projection.name}"

    async def _read(self, after: int) -> list[Recorded]:
        return await self.source.read(partial(read_log, after=after, limit=BATCH))

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        with self.target.writing() as tx:
            _enter(tx, self._namespace)
            yield tx

    def _begins(self) -> str | None:
        sql = "SELECT since FROM replay_position WHERE name = ?"
        with self.target.reading() as tx:
            _enter(tx, self._namespace)
            row = None if _is_emptied(tx) else tx.row(sql, (self.projection.name,))
            return str(row[0]) if row else None

    def _begin(self, since: str, start: int, restart: bool, erasures: int) -> int:
        wanted = self.projection
        with self.target.writing() as tx:
            if tx.dialect == "postgres":
                tx.script(f"CREATE SCHEMA IF NOT EXISTS {self._namespace}")
            _enter(tx, self._namespace)
            tx.script(SCHEMA)
            sql = "SELECT version, source, since, position, made FROM replay_position WHERE name = ?"
            found = tx.row(sql, (wanted.name,))
            known = tx.row("SELECT number FROM replay_erasures WHERE name = ?", (wanted.name,))
            if found is not None and not restart and int(known[0] if known else 0) == erasures:
                self._check(found, since)
                return int(found[3])
            tx.run("DELETE FROM replay_erasures WHERE name = ?", (wanted.name,))
            tx.run("INSERT INTO replay_erasures VALUES (?, ?)", (wanted.name, erasures))
            if found is not None:
                _drop(tx, found[4])
                tx.run("DELETE FROM replay_position WHERE name = ?", (wanted.name,))
            made = self._create(tx)
            values = (wanted.name, wanted.version, wanted.source, since, start, made)
            tx.run("INSERT INTO replay_position VALUES (?, ?, ?, ?, ?, ?)", values)
            return start

    def _check(self, found: Row, since: str) -> None:
        version, source, from_, position, _ = found
        if (version, source) != (self.projection.version, self.projection.source):
            raise OtherProjection(
                f"{self.projection.name} has changed since its tables were filled up to position {position}:"
                " --restart makes them anew"
            )
        if since and since != from_:
            begun = f"at {from_}" if from_ else "with the first event"
            raise OtherProjection(f"the tables of {self.projection.name} begin {begun}: --restart makes them anew")

    def _create(self, tx: Transaction) -> str:
        before = _objects(tx)
        try:
            tx.script(self.projection.schema)
        except Exception as error:
            raise _broken(error, f"{self.projection.file}: its schema") from error
        made = [each for each in _objects(tx) if each not in before]
        if not made:
            raise BrokenProjection(f"{self.projection.file}: its schema makes no table that is not there already")
        return ",".join(made)

    def _apply(self, position: int, events: Sequence[Recorded]) -> None:
        with self._writing() as tx:
            if _is_emptied(tx):
                raise Emptied
            tables = Tables(tx)
            for recorded in events:
                try:
                    self.projection.apply(tables, recorded)
                except Exception as error:
                    if _is_outage(error):
                        raise
                    raise BrokenProjection(
                        f"{told(error, self.projection.file)} (at position {recorded.position},"
                        f" {type(recorded.event).__name__}; the tables stand at {position} as before)"
                    ) from error
            sql = "UPDATE replay_position SET position = ? WHERE name = ? AND position = ?"
            if tx.run(sql, (events[-1].position, self.projection.name, position)) != 1:
                raise OtherProjection(f"another process replays {self.projection.name} into the same tables")


def _not_after(until: datetime, recorded: Recorded) -> bool:
    return recorded.recorded_at <= until


def _enter(tx: Transaction, namespace: str) -> None:
    """Names without a schema are those of the namespace; SQLite's file is one by itself."""
    if tx.dialect == "postgres":
        tx.run(f"SET LOCAL search_path TO {namespace}")


@contextmanager
def _only_read(tx: Transaction) -> Iterator[None]:
    """Refuse what changes the tables, as PostgreSQL does where one reads."""
    if tx.dialect == "postgres":
        yield
        return
    tx.run("PRAGMA query_only = ON")
    try:
        yield
    finally:
        tx.run("PRAGMA query_only = OFF")


def _different(names: Sequence[str]) -> list[str]:
    """Return columns' names with a number behind those that were there before: rows are shown by name."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        found.append(name if name not in found else next(each for each in numbered if each not in (*found, *names)))
    return found


def _objects(tx: Transaction) -> list[str]:
    """Return kinds and names in the order in which they can be dropped."""
    sql = (
        SQLITE_OBJECTS
        if tx.dialect == "sqlite"
        else "SELECT 'view', viewname FROM pg_views WHERE schemaname = current_schema()"
        " UNION ALL SELECT 'table', tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    return [f"{kind} {name}" for kind, name in tx.rows(sql)]


def _is_emptied(tx: Transaction) -> bool:
    """Whether everything was taken away, at once, by an erasure."""
    return "table replay_position" not in _objects(tx)


def _drop(tx: Transaction, made: str) -> None:
    ours = made.split(",")
    for each in filter(ours.__contains__, _objects(tx)):
        kind, _, name = each.partition(" ")
        tx.run(f'DROP {kind.upper()} IF EXISTS "{name}"')


def _broken(error: Exception, what: str) -> Exception:
    if isinstance(error, BrokenProjection) or _is_outage(error):
        return error
    return BrokenProjection(f"{what}: {said_with_kind(error)}".splitlines()[0])


def _is_outage(error: Exception) -> bool:
    """Whether it is the database's trouble, not that of the analyst's SQL."""
    if isinstance(error, sqlite3.Error):
        return isinstance(translated(error), DatabaseUnavailable)
    return any(f"{kind.__module__}.{kind.__name__}" in _OUTAGES for kind in type(error).__mro__)


_OUTAGES = {"psycopg.OperationalError", "psycopg.InterfaceError"}
