"""What the rest of Okno asks of a database; SQL is written once, with `?` for parameters, in the common dialect.

A job is a plain function that runs in a thread within one transaction: it must not await or keep the transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]


class DatabaseUnavailable(Exception):
    """The database cannot be reached, is full or stays locked: try again later, nothing was written."""


class Conflict(Exception):
    """A unique key was there already: somebody else was first. Read again and decide anew."""


class Occupied(Exception):
    """Another process, or another part of this one, is doing this already."""


class Transaction(Protocol):
    """One open transaction. Unique-key violations raise Conflict."""

    dialect: Literal["sqlite", "postgres"]
    keys: Any
    """As given to the database."""

    @property
    def connection(self) -> Any:
        """The driver's own connection (sqlite3 or psycopg), for recorders."""

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run a statement and return its rows."""

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """Run a statement and return its first row, None when there is none."""

    def rows_in(self, sql: str, keys: Sequence[str], tail: str = "") -> list[Row]:
        """Return the rows of `SELECT ... WHERE column` for which the column is one of any number of keys.

        Or of `DELETE FROM ... WHERE column` with a tail of `RETURNING ...`.
        """

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement and return how many rows it touched."""

    def run_many(self, sql: str, parameters: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each parameter row."""

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]], tail: str = "") -> None:
        """Insert rows the fastest way the database has. `tail`: an ON CONFLICT clause.

        When it raises, the transaction is good for nothing but to be rolled back.
        """

    def script(self, sql: str) -> None:
        """Run several statements separated by `;` (schema); one after `/* sqlite */` or `/* postgres */` only there."""

    def notify(self, topic: str) -> None:
        """Wake those who listen to `topic`, here and in other processes, once the transaction has committed."""


class Listener(Protocol):
    async def wait(self, timeout_seconds: float) -> bool:
        """Return True when the topic was notified since the last wait, False after the timeout."""


class Aside(Protocol):
    """Connections for much work beside the live path, one thread at a time for each of the two.

    A commit is as consistent as any other, but only the next ordinary write makes it durable against a power cut.
    """

    dialect: Literal["sqlite", "postgres"]

    def in_the_way(self) -> bool:
        """Whether somebody else has written lately who has to wait while this writes: then write in small pieces."""

    def waits_long(self) -> bool:
        """Whether it waits so long to write that only larger pieces let it get on."""

    def held_seconds(self) -> float:
        """Return for how long the last transaction kept other writers waiting: 0 where it kept none."""

    def writing(self) -> AbstractContextManager[Transaction]:
        """A write transaction that stands in nobody's way for long: SQLite's lock is held only to carry out writes.

        What a job reads before it writes must be tables that nobody else writes to.
        """

    def reading(self) -> AbstractContextManager[Transaction]:
        """A read transaction on one snapshot."""


class Database(Protocol):
    """Made by `open_database`."""

    dialect: Literal["sqlite", "postgres"]
    keys: Any
    """What its transactions seal personal content with (`shared.keys.ring.KeyRing`); None: content is plain."""
    statement_seconds: float | None
    """For so long a statement of `read` and `write` is waited for where a server carries it out; None: however long."""
    thread_seconds: float | None
    """The same of `reading` and `writing`, where long work may be done."""

    async def write(self, job: Callable[[Transaction], T], *, brief: bool = False, prompt: bool = False) -> T:
        """Run a job and return its result once it is committed and durable. `brief`: as for `read`.

        `prompt`: somebody outside waits for it, so SQLite's one writer takes it before jobs that came earlier.

        Raises what the job raised (and nothing is written), Conflict, or DatabaseUnavailable.
        """

    async def read(self, job: Callable[[Transaction], T], *, brief: bool = False) -> T:
        """Run a job on one consistent snapshot; it must not write.

        `brief`: it takes a few milliseconds at most, so SQLite runs it in the event loop's own thread: handing it to
        another costs more, since each row that is read gives Python's lock away.
        """

    def writing(self) -> AbstractContextManager[Transaction]:
        """A write transaction in the calling thread, for command-line tools and threads of one's own."""

    def reading(self) -> AbstractContextManager[Transaction]:
        """A read transaction in the calling thread."""

    def listen(self, topic: str) -> Listener:
        """Return a listener for `notify(topic)`; call it from the event loop."""

    def leadership(self, name: str) -> AbstractAsyncContextManager[Callable[[], Awaitable[None]]]:
        """Enter once no other process leads `name`. Yields `watch`, which runs until the lead is lost, then raises.

        What the leader does must be safe without it (positions move forward only): it saves doing things twice.
        """

    def wipe(self, tables: Sequence[str]) -> None:
        """Leave nothing in the files of what was deleted from tables or overwritten; blocks until it is done."""

    def sole(self, name: str) -> AbstractAsyncContextManager[Callable[[], Awaitable[None]]]:
        """Enter as the only one, of all processes, that does `name`; a process that dies gives it up.

        Yields `watch` as for `leadership`. Raises Occupied at once when somebody does it already.
        """

    def aside(self) -> AbstractContextManager[Aside]:
        """Connections of one's own, for as long as the block lasts."""

    async def close(self) -> None: ...
