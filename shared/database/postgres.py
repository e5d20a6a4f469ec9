"""PostgreSQL by psycopg: a pool of connections used from threads, and one connection that listens.

A write runs in READ COMMITTED with synchronous_commit as the server has it (on: durable when `write` returns).
"""

from __future__ import annotations

import asyncio
import threading
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Literal, TypeVar

import psycopg
from psycopg import IsolationLevel
from psycopg_pool import ConnectionPool, PoolTimeout

from shared.database.postgres_connect import Pooled, Session, with_alive
from shared.database.postgres_errors import leaves_read_only, translated
from shared.database.postgres_rewrite import Busy, rewrite
from shared.database.postgres_transaction import CHANNEL, PostgresTransaction
from shared.database.protocol import Aside, DatabaseUnavailable, Listener, Occupied, Row, Transaction
from shared.database.wakeups import Wakeups
from shared.said import said

T = TypeVar("T")
THREADS = 8
CONNECT_SECONDS = 10.0
POOL_SECONDS = 15.0
RECONNECT_SECONDS = 10.0
"""The pool doubles its pauses for so long, then begins anew: after its own 5 min an outage goes on for 2 min more."""
LISTEN_AGAIN_SECONDS = 1.0
LEAD_AGAIN_SECONDS = 0.5
LEAD_SECONDS = 10
"""A leader that has not stirred for so long (a stopped process keeps its lock) is cut off by the server itself."""
NOT_OWNER = "our user has to own the database (ALTER DATABASE ... OWNER TO ...)"
SOLE_TRIES = 3
"""The server needs a moment to notice that a process has died."""
WATCH_SECONDS = 2.0
RESTED_SECONDS = 1.0
SUSPICIOUS_SECONDS = 60.0


class PostgresDatabase:
    """One pool a process. Connections are made when first needed and again after they broke."""

    dialect: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, url: str) -> None:
        self._url = url = with_alive(url)
        self.keys: Any = None
        self.statement_seconds: float | None = None
        self.thread_seconds: float | None = None
        self._pool: ConnectionPool[Pooled] = ConnectionPool(
            url,
            connection_class=Pooled,
            min_size=1,
            max_size=THREADS + 2,
            open=False,
            timeout=POOL_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
            check=self._check,
            kwargs={"connect_timeout": int(CONNECT_SECONDS), "application_name": "okno"},
        )
        self._broke_at = -SUSPICIOUS_SECONDS
        self._threads = ThreadPoolExecutor(THREADS, "okno-db")
        self._wakeups = Wakeups()
        self._listening: asyncio.Task[None] | None = None
        self._opening = threading.Lock()
        self._open = False

    async def write(self, job: Callable[[Transaction], T], *, brief: bool = False, prompt: bool = False) -> T:
        return await self._in_thread(partial(self.writing, self.statement_seconds), job)

    async def read(self, job: Callable[[Transaction], T], *, brief: bool = False) -> T:
        return await self._in_thread(partial(self.reading, self.statement_seconds), job)

    @contextmanager
    def writing(self, patience: float | None = None) -> Iterator[Transaction]:
        with self._errors(), self._connection(patience) as connection:
            connection.isolation_level, connection.read_only = IsolationLevel.READ_COMMITTED, None
            with connection.transaction():
                yield PostgresTransaction(connection, self.keys)

    @contextmanager
    def reading(self, patience: float | None = None) -> Iterator[Transaction]:
        """Isolation level and read-only go with the BEGIN: a round trip less than a statement of their own."""
        with self._errors(), self._connection(patience) as connection:
            connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
            with connection.transaction():
                yield PostgresTransaction(connection, self.keys)

    def listen(self, topic: str) -> Listener:
        listener = self._wakeups.listener(topic)
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen_forever(), name="postgres-listen")
        return listener

    def leadership(self, name: str) -> AbstractAsyncContextManager[Callable[[], Awaitable[None]]]:
        return self._session_lock(name, None)

    def sole(self, name: str) -> AbstractAsyncContextManager[Callable[[], Awaitable[None]]]:
        return self._session_lock(f"sole {name}", SOLE_TRIES)

    @contextmanager
    def aside(self) -> Iterator[Aside]:
        yield PostgresAside(self)

    @asynccontextmanager
    async def _session_lock(self, name: str, tries: int | None) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """A session's advisory lock: PostgreSQL gives it up by itself when the process dies."""
        try:
            async with await Session.connect(
                self._url, autocommit=True, connect_timeout=int(CONNECT_SECONDS), application_name="okno-lead"
            ) as connection:
                await connection.execute(f"SET idle_session_timeout = '{LEAD_SECONDS}s'")
                key = zlib.crc32(name.encode())
                await _lock(connection, key, tries)
                yield partial(_watch, connection)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise DatabaseUnavailable(str(error)) from error

    def wipe(self, tables: Sequence[str]) -> None:
        """Write the tables anew beside everybody's work, and the statistics, which have samples of them.

        What is in the server's write-ahead log goes with its old segments. Raises DatabaseUnavailable also where our
        user may not do that to the statistics: the server only warns of it.
        """
        refused: list[str] = []
        with (
            self._errors(),
            psycopg.connect(self._url, autocommit=True, connect_timeout=int(CONNECT_SECONDS)) as connection,
        ):
            for table in tables:
                try:
                    rewrite(connection, table)
                except Busy as error:
                    raise DatabaseUnavailable(f"{table} cannot be written anew: {error}") from error
            connection.add_notice_handler(lambda notice: refused.append(notice.message_primary or ""))
            connection.execute("VACUUM (FULL) pg_catalog.pg_statistic")
        if refused:
            raise DatabaseUnavailable(f"the database's statistics keep what was deleted: {refused[0]}; {NOT_OWNER}")

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(None, self._shut)

    def _shut(self) -> None:
        self._threads.shutdown()
        self._pool.close()

    async def _in_thread(self, begin: Callable[[], Any], job: Callable[[Transaction], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(_run, begin, job))

    def _check(self, connection: Pooled) -> None:
        """Ask whether a connection still stands if it has rested or others broke lately: that costs a round trip."""
        at = time.monotonic()
        if at - connection.used_at > RESTED_SECONDS or at - self._broke_at < SUSPICIOUS_SECONDS:
            connection.patience = CONNECT_SECONDS
            ConnectionPool.check_connection(connection)

    @contextmanager
    def _connection(self, patience: float | None) -> Iterator[psycopg.Connection[Row]]:
        with self._opening:
            if not self._open:
                self._pool.open()
                self._open = True
        with self._pool.connection() as connection:
            connection.used_at = time.monotonic()
            connection.patience = self.thread_seconds if patience is None else patience
            try:
                yield connection
            except psycopg.Error as error:
                if leaves_read_only(error):
                    connection.close()
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, PoolTimeout) as error:
            meant = translated(error, self._url)
            if meant is error:
                raise
            if isinstance(meant, DatabaseUnavailable):
                self._broke_at = time.monotonic()
            raise meant from error

    async def _listen_forever(self) -> None:
        """Keep one listening connection; after each (re)connect wake everybody, for what came meanwhile."""
        while True:
            try:
                async with await Session.connect(
                    self._url, autocommit=True, connect_timeout=int(CONNECT_SECONDS), application_name="okno-listen"
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._wakeups.wake_all()
                    async for note in connection.notifies():
                        self._wakeups.wake((note.payload,))
            except psycopg.Error:
                self._wakeups.wake_all()  # whoever waits tries the database itself and reports what is wrong
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)


class PostgresAside:
    """Ordinary connections: nobody waits for their writes, and their commits do not wait for the disk."""

    dialect: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def in_the_way(self) -> bool:
        return False

    def waits_long(self) -> bool:
        return False

    def held_seconds(self) -> float:
        return 0.0

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        with self._database.writing() as transaction:
            transaction.run("SET LOCAL synchronous_commit TO off")
            transaction.run("SET LOCAL maintenance_work_mem TO '256MB'")
            yield transaction

    def reading(self) -> AbstractContextManager[Transaction]:
        return self._database.reading()


async def _lock(connection: psycopg.AsyncConnection[Row], key: int, tries: int | None) -> None:
    """Raises Occupied after so many tries, None: never; OperationalError where the server does not answer."""
    while True:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (key,))
        except TimeoutError as error:
            raise psycopg.OperationalError("the server does not answer") from error
        row = await cursor.fetchone()
        if row and row[0]:
            return
        tries = None if tries is None else tries - 1
        if tries == 0:
            raise Occupied
        await asyncio.sleep(LEAD_AGAIN_SECONDS)


async def _watch(connection: psycopg.AsyncConnection[Row]) -> None:
    """Raises DatabaseUnavailable once the connection, and the lock with it, is lost."""
    try:
        while True:
            async with asyncio.timeout(CONNECT_SECONDS):  # not wait_for: before Python 3.12 it can lose a cancellation
                await connection.execute("SELECT 1")
            await asyncio.sleep(WATCH_SECONDS)
    except (psycopg.Error, TimeoutError) as error:
        raise DatabaseUnavailable(f"lost the connection that leads: {said(error)}") from error


def _run(begin: Callable[[], Any], job: Callable[[Transaction], T]) -> T:
    with begin() as transaction:
        return job(transaction)
