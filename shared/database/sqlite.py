"""SQLite: one writer that commits what waits together (`sqlite_writer`), readers with connections of their own.

WAL with synchronous=FULL: when `write` returns, the change survives a power cut.
"""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from shared.database.protocol import Aside, DatabaseUnavailable, Listener, Occupied, Transaction
from shared.database.sqlite_aside import SqliteAside
from shared.database.sqlite_checkpoint import Checkpoints, emptied
from shared.database.sqlite_transaction import SqliteTransaction, begun
from shared.database.sqlite_turns import Turns
from shared.database.sqlite_writer import SqliteWriter
from shared.database.wakeups import Wakeups
from shared.logs import Log
from shared.owner_only import make_file, make_folder, opener

T = TypeVar("T")
BUSY_SECONDS = 30.0
WIPE_SECONDS = 60.0
WIPE_LOCK_MILLISECONDS = 50
WIPE_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds: writers have some forty times as long as they are kept waiting."""
READERS = 4
CLOSE_SECONDS = 30.0
log = Log("database")


class SqliteDatabase:
    """One file; several processes may open it, each with its own writer thread."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"
    statement_seconds: float | None = None
    thread_seconds: float | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self._make()
        self._wakeups = Wakeups()
        self._local = threading.local()
        self._opened: dict[sqlite3.Connection, threading.RLock] = {}
        self._opening = threading.Lock()
        self._readers = ThreadPoolExecutor(READERS, "okno-read")
        self._connect()  # fails early, and switches the file to WAL before the threads race for it
        self._checkpoints = Checkpoints(path, self._connect)
        self._writer = SqliteWriter(self._connect(), self._checkpoints, self._wakeups.wake)

    @property
    def keys(self) -> Any:
        return self._writer.keys

    @keys.setter
    def keys(self, keys: Any) -> None:
        self._writer.keys = keys

    async def write(self, job: Callable[[Transaction], T], *, brief: bool = False, prompt: bool = False) -> T:
        return cast("T", await self._writer.do(job, brief=brief, prompt=prompt))

    async def read(self, job: Callable[[Transaction], T], *, brief: bool = False) -> T:
        if brief:
            return self._read(job)
        return await asyncio.get_running_loop().run_in_executor(self._readers, partial(self._read, job))

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        connection, at_work = self._own()
        transaction = SqliteTransaction(connection, self.keys)
        with at_work, begun(transaction, "IMMEDIATE"):
            yield transaction
        self._wakeups.wake(transaction.topics)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        connection, at_work = self._own()
        transaction = SqliteTransaction(connection, self.keys)
        with at_work, begun(transaction, "DEFERRED"):
            yield transaction

    def listen(self, topic: str) -> Listener:
        return self._wakeups.listener(topic, self._writer.version)

    @asynccontextmanager
    async def leadership(self, name: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """The one process that has the data directory always leads."""
        yield _forever

    def wipe(self, tables: Sequence[str]) -> None:
        """Deleted bytes are zeros already (secure_delete): what is left is the log, which is copied and emptied.

        To empty it takes the writers' lock while readers are waited for (sqlite.org/pragma.html#pragma_wal_checkpoint):
        so briefly, on a connection of its own, and not at all while PASSIVE tells that somebody reads what is old.
        """
        deadline, pauses = time.monotonic() + WIPE_SECONDS, chain(WIPE_PAUSES, repeat(WIPE_PAUSES[-1]))
        connection = self._made()
        try:
            connection.execute(f"PRAGMA busy_timeout={WIPE_LOCK_MILLISECONDS}")
            while not emptied(connection):
                if time.monotonic() > deadline:
                    raise DatabaseUnavailable(
                        f"{self.path}: somebody reads in the write-ahead log all the time, as while a backup is made"
                    )
                time.sleep(next(pauses))
        finally:
            connection.close()

    @asynccontextmanager
    async def sole(self, name: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        with _locked(Path(f"{self.path}-{name}")):
            yield _forever

    @contextmanager
    def aside(self) -> Iterator[Aside]:
        writer, reader = self._made(), self._made()
        checkpoints, turns = Checkpoints(self.path, self._made), Turns(Path(f"{self.path}-aside"))
        aside = SqliteAside(writer, reader, checkpoints, turns, self.keys)
        try:
            yield aside
        finally:
            checkpoints.stop()
            aside.leave()
            turns.close()
            for connection in (writer, reader):
                connection.close()

    async def close(self) -> None:
        for stop in (self._writer.stop, self._checkpoints.stop, self._readers.shutdown, self._shut):
            await asyncio.get_running_loop().run_in_executor(None, stop)

    def _shut(self) -> None:
        """Close what no thread is at work with: closed under it, a connection takes the process along (SIGSEGV)."""
        deadline = time.monotonic() + CLOSE_SECONDS
        for connection, at_work in list(self._opened.items()):
            if at_work.acquire(timeout=max(0.0, deadline - time.monotonic())):
                connection.close()
                at_work.release()
            else:
                log.warning("connection_left_open", database=str(self.path))

    def _make(self) -> None:
        """The files beside it are made with the rights of the database (sqlite.org/src, findCreateFileMode)."""
        make_folder(self.path.parent)
        try:
            make_file(self.path)
        except OSError as error:
            raise DatabaseUnavailable(f"{self.path}: {error}") from error

    def _read(self, job: Callable[[Transaction], T]) -> T:
        with self.reading() as transaction:
            return job(transaction)

    def _own(self) -> tuple[sqlite3.Connection, threading.RLock]:
        """Return the connection of this thread, and what it holds while it is at work with it."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection, self._opened[connection]

    def _connect(self) -> sqlite3.Connection:
        """Return a connection that lasts until `close`."""
        connection = self._made()
        self._opened[connection] = threading.RLock()
        return connection

    def _made(self) -> sqlite3.Connection:
        """Return a connection for whoever closes it themselves: they may go on in their thread after `close`."""
        try:
            connection = sqlite3.connect(
                self.path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False, cached_statements=1024
            )
            with self._opening:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA cache_size=-16000")
                connection.execute("PRAGMA secure_delete=ON")  # what is deleted or overwritten is zeros in the file
                connection.execute("PRAGMA wal_autocheckpoint=0")
        except sqlite3.Error as error:
            raise DatabaseUnavailable(f"{self.path}: {error}") from error
        return connection


async def _forever() -> None:
    await asyncio.Event().wait()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file, which the kernel gives up when the process dies. Raises Occupied."""
    with open(path, "a", opener=opener) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Occupied from error
        yield
