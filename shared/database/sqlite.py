"""SQLite: one writer thread commits whatever waits as one transaction (group commit), readers have own connections.

WAL with synchronous=FULL: when `write` returns, the change survives a power cut.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from shared.database.protocol import Conflict, DatabaseUnavailable, Listener, Row, Transaction
from shared.database.wakeups import Wakeups

T = TypeVar("T")
BUSY_SECONDS = 30.0
JOBS_PER_COMMIT = 64
READERS = 4
CHECKPOINT_PAGES = 16_000
"""64 MB of log before it is copied into the file: a page that changes often is copied once, not each megabyte."""
CHUNKS = (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
"""Rows per INSERT: every statement gives Python's lock away once, so few large ones let threads work in parallel."""
_Job = tuple[Callable[[Transaction], Any], "Future[Any]"]


class SqliteTransaction:
    """A transaction on a sqlite3 connection; knows which topics to notify after the commit."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.topics: set[str] = set()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self.connection.execute(sql, cast("Any", parameters)).fetchall()

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        return cast("Row | None", self.connection.execute(sql, cast("Any", parameters)).fetchone())

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        return self.connection.execute(sql, cast("Any", parameters)).rowcount

    def run_many(self, sql: str, parameters: Iterable[Sequence[object]]) -> None:
        self.connection.executemany(sql, cast("Any", parameters))

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]], tail: str = "") -> None:
        head = f"INSERT INTO {table} ({','.join(columns)}) VALUES "
        marks = f"({','.join('?' * len(columns))})"
        start = 0
        for size in CHUNKS:
            sql = f"{head}{','.join([marks] * size)} {tail}"
            while len(rows) - start >= size:
                self.connection.execute(sql, [value for row in rows[start : start + size] for value in row])
                start += size

    def set_many(self, table: str, column: str, key: str, values: Mapping[str, object], where: str = "TRUE") -> None:
        sql = f"UPDATE {table} SET {column} = ? WHERE {key} = ? AND {where}"
        self.connection.executemany(sql, cast("Any", [(value, name) for name, value in values.items()]))

    def script(self, sql: str) -> None:
        for statement in filter(str.strip, sql.replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY").split(";")):
            self.connection.execute(statement)

    def notify(self, topic: str) -> None:
        self.topics.add(topic)


class SqliteDatabase:
    """One file; several processes may open it, each with its own writer thread."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._wakeups = Wakeups()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._opening = threading.Lock()
        self._readers = ThreadPoolExecutor(READERS, "okno-read")
        self._connect()  # fails early, and switches the file to WAL before the threads race for it
        self._writer = threading.Thread(target=self._write_forever, name="okno-write", daemon=True)
        self._writer.start()

    async def write(self, job: Callable[[Transaction], T]) -> T:
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return await asyncio.wrap_future(future)

    async def read(self, job: Callable[[Transaction], T], *, brief: bool = False) -> T:
        if brief:
            return self._read(job)
        return await asyncio.get_running_loop().run_in_executor(self._readers, partial(self._read, job))

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        transaction = SqliteTransaction(self._connection())
        with _transaction(transaction, "IMMEDIATE"):
            yield transaction
        self._wakeups.wake(transaction.topics)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        transaction = SqliteTransaction(self._connection())
        with _transaction(transaction, "DEFERRED"):
            yield transaction

    def listen(self, topic: str) -> Listener:
        return self._wakeups.listener(topic, self._data_version)

    @asynccontextmanager
    async def leadership(self, name: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """The one process that has the data directory always leads."""
        yield _forever

    async def close(self) -> None:
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._writer.join)
        self._readers.shutdown()
        for connection in self._opened:
            connection.close()

    def _read(self, job: Callable[[Transaction], T]) -> T:
        with self.reading() as transaction:
            return job(transaction)

    def _write_forever(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs = [first]
            stop = False
            while len(jobs) < JOBS_PER_COMMIT and not self._jobs.empty():
                another = self._jobs.get()
                if another is None:
                    stop = True
                    break
                jobs.append(another)
            self._commit_together(jobs)
            if stop:
                return

    def _commit_together(self, jobs: list[_Job]) -> None:
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        transaction: SqliteTransaction | None = None
        try:
            transaction = SqliteTransaction(self._connection())
            with _transaction(transaction, "IMMEDIATE"):
                for job, future in jobs:
                    results.append((future, *_savepoint(transaction, job, alone=len(jobs) == 1)))
        except BaseException as failure:  # every waiter must learn that nothing was committed
            results = [(future, None, failure) for _, future in jobs]
        else:
            self._wakeups.wake(transaction.topics)
        for future, result, failed in results:
            _resolve(future, result, failed)

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        return connection or self._connect()

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False, cached_statements=1024
            )
            with self._opening:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA cache_size=-16000")
                connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
                self._opened.append(connection)
        except sqlite3.Error as error:
            raise DatabaseUnavailable(f"{self.path}: {error}") from error
        self._local.connection = connection
        return connection

    def _data_version(self) -> int:
        """Return a number that changes when another connection commits (sqlite.org/pragma.html#pragma_data_version)."""
        watcher: sqlite3.Connection | None = getattr(self._local, "watcher", None)
        if watcher is None:
            watcher = self._local.watcher = sqlite3.connect(self.path, check_same_thread=False)
            self._opened.append(watcher)
        version: int = watcher.execute("PRAGMA data_version").fetchone()[0]
        return version


async def _forever() -> None:
    await asyncio.Event().wait()


def _savepoint(
    transaction: SqliteTransaction, job: Callable[[Transaction], Any], *, alone: bool
) -> tuple[Any, BaseException | None]:
    """Run one job of several so that its failure leaves the others standing."""
    if alone:
        return job(transaction), None
    topics = set(transaction.topics)
    transaction.connection.execute("SAVEPOINT job")
    try:
        result = job(transaction)
    except Exception as error:
        transaction.connection.execute("ROLLBACK TO job")
        transaction.connection.execute("RELEASE job")
        transaction.topics = topics
        return None, _translated(error)
    transaction.connection.execute("RELEASE job")
    return result, None


@contextmanager
def _transaction(transaction: SqliteTransaction, mode: str) -> Iterator[None]:
    connection = transaction.connection
    try:
        connection.execute(f"BEGIN {mode}")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise _translated(error) from error


def _translated(error: Exception) -> Exception:
    match error:
        case sqlite3.IntegrityError() if "UNIQUE" in str(error) or "PRIMARY KEY" in str(error):
            return Conflict(str(error))
        case sqlite3.OperationalError() if _is_passing(error):
            return DatabaseUnavailable(str(error))
    return error


def _is_passing(error: sqlite3.OperationalError) -> bool:
    text = str(error)
    return any(part in text for part in ("locked", "full", "disk I/O", "unable to open", "readonly"))


def _resolve(future: Future[Any], result: Any, error: BaseException | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
