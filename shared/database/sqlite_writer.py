"""The one writer of an SQLite file: whatever waits is committed as one transaction (group commit).

Brief jobs run on the event loop and only COMMIT, which waits for the disk, runs in the thread: a thread that runs
statements fights the loop for Python's lock at every one of them, which took more time than the statements.
Prompt jobs, for which somebody outside waits, go before the others.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from shared.database.sqlite_checkpoint import KEPT_BYTES, Checkpoints
from shared.database.sqlite_transaction import SqliteTransaction, translated
from shared.logs import Log
from shared.said import said

JOBS_PER_COMMIT = 64
BRIEF_SECONDS = 0.005
"""Of brief jobs no further one begins after this, so that the loop goes on between them."""
BUSY_SECONDS = 30.0
"""How long the thread waits for another process that writes; the loop never does."""
ASK_SECONDS = 0.001
"""It asks so often, as SQLite by itself would leave ever longer pauses: 18 ms wait for a lock that is held for 9."""
LOOK_SECONDS = 0.1
log = Log("database")


@dataclass(slots=True, eq=False)
class _Job:
    run: Callable[[SqliteTransaction], Any]
    brief: bool
    prompt: bool
    done: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class SqliteWriter:
    """Runs jobs of one event loop at a time; `stop` lets what waits be committed first."""

    def __init__(
        self, connection: sqlite3.Connection, checkpoints: Checkpoints, committed: Callable[[set[str]], None]
    ) -> None:
        self._connection, self._checkpoints, self._committed = connection, checkpoints, committed
        self.keys: Any = None
        self._thread = ThreadPoolExecutor(1, "okno-write")
        self._waiting: deque[_Job] = deque()
        self._prompt: deque[_Job] = deque()
        self._prompt_were_first = False
        self._version = 0
        self._lock = threading.Lock()
        self._rests = threading.Event()
        self._rests.set()
        self._connection.execute("PRAGMA busy_timeout=0")
        self._connection.execute(f"PRAGMA journal_size_limit={KEPT_BYTES}")
        self._connection.execute("PRAGMA temp_store=MEMORY")  # pages to go back to when a job fails, and no large sorts

    async def do(self, run: Callable[[SqliteTransaction], Any], *, brief: bool, prompt: bool = False) -> Any:
        """Return what the job returned once it is committed. Raises what it raised, translated."""
        loop = asyncio.get_running_loop()
        job = _Job(run, brief, prompt, loop.create_future())
        with self._lock:
            (self._prompt if prompt else self._waiting).append(job)
            first = self._rests.is_set()
            self._rests.clear()
        if first:
            loop.call_soon(self._round)  # not at once: who else is about to write joins this commit
        return await job.done

    def version(self) -> int:
        """Return a number that changes when another connection commits (sqlite.org/pragma.html#pragma_data_version).

        While this one is at work it is what the beginning of its last transaction found.
        """
        with self._lock:
            if self._rests.is_set():
                self._look()
            return self._version

    def stop(self) -> None:
        """Return when what waits is committed and the thread has ended; not from an event loop whose jobs wait."""
        self._rests.wait()
        self._thread.shutdown()

    def _round(self) -> None:
        """Begin the next transaction, or rest."""
        jobs = self._next()
        if not jobs:
            return
        transaction = SqliteTransaction(self._connection, self.keys)
        if not jobs[0].brief:
            self._thread.submit(self._whole, jobs, transaction)
        elif self._begun():
            self._brief(jobs, transaction)
        else:
            self._thread.submit(self._brief_later, jobs, transaction)

    def _brief(self, jobs: list[_Job], transaction: SqliteTransaction) -> None:
        """On the loop, in a transaction that has begun: do what takes BRIEF_SECONDS, let the thread commit it."""
        try:
            done = _run_all(jobs, transaction, BRIEF_SECONDS)
        except BaseException as failure:  # every waiter must learn that nothing was committed
            self._undo(jobs, failure)
            self._end(jobs, transaction)
        else:
            self._thread.submit(self._commit, done, transaction)
            self._put_back(jobs[len(done) :])

    def _next(self) -> list[_Job]:
        """Take what waits, of the running loop and either brief or not; none when it is another loop's turn."""
        with self._lock:
            queue = self._queue()
            if not queue:
                self._rests.set()
                return []
            head, loop = queue[0], asyncio.get_running_loop()
            if head.done.get_loop() is loop:
                self._prompt_were_first = queue is self._prompt
                alike = takewhile(lambda job: job.brief == head.brief and job.done.get_loop() is loop, queue)
                return [queue.popleft() for _ in range(min(JOBS_PER_COMMIT, sum(1 for _ in alike)))]
        self._pass_on()
        return []

    def _queue(self) -> deque[_Job]:
        """What is prompt goes first, but not twice while others wait."""
        return self._prompt if self._prompt and not (self._prompt_were_first and self._waiting) else self._waiting

    def _put_back(self, jobs: list[_Job]) -> None:
        with self._lock:
            for job in reversed(jobs):
                (self._prompt if job.prompt else self._waiting).appendleft(job)

    def _begun(self) -> bool:
        """False when another process is writing: the thread waits for it then."""
        try:
            self._begin()
        except sqlite3.Error:
            return False
        return True

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._look()

    def _begin_in_time(self) -> None:
        """From the thread. Raises what SQLite raises, also when another process has kept the lock for BUSY_SECONDS."""
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._begin()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(ASK_SECONDS)

    def _brief_later(self, jobs: list[_Job], transaction: SqliteTransaction) -> None:
        """From the thread: wait until the transaction has begun, then let the loop go on with it."""
        loop, goes_on = jobs[0].done.get_loop(), threading.Event()

        def go_on() -> None:
            goes_on.set()
            self._brief(jobs, transaction)

        try:
            self._begin_in_time()
            loop.call_soon_threadsafe(go_on)
            while not goes_on.wait(LOOK_SECONDS):
                if loop.is_closed() and not goes_on.is_set():
                    raise RuntimeError("nobody waits for these jobs any more")
        except BaseException as failure:
            self._undo(jobs, failure)
            self._ended(jobs, transaction)

    def _look(self) -> None:
        try:
            self._version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as error:  # whoever writes next learns what is wrong
            log.debug("no_version", reason=said(error))

    def _whole(self, jobs: list[_Job], transaction: SqliteTransaction) -> None:
        try:
            self._begin_in_time()
            _run_all(jobs, transaction)
        except BaseException as failure:
            self._undo(jobs, failure)
            self._ended(jobs, transaction)
        else:
            self._commit(jobs, transaction)

    def _commit(self, jobs: list[_Job], transaction: SqliteTransaction) -> None:
        try:
            self._connection.execute("COMMIT")
        except BaseException as failure:
            self._undo(jobs, failure)
        else:
            self._checkpoints.look(self._connection)
        self._ended(jobs, transaction)  # the last use of the connection here: the loop may begin the next one

    def _undo(self, jobs: list[_Job], failure: BaseException) -> None:
        for job in jobs:
            job.result, job.error = None, translated(failure)
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:  # the next BEGIN fails then, and tries the ROLLBACK again
            log.warning("rollback_failed", reason=said(error))

    def _ended(self, jobs: list[_Job], transaction: SqliteTransaction) -> None:
        """From the thread: tell the loop, or go on with another loop's jobs when that one has closed."""
        try:
            jobs[0].done.get_loop().call_soon_threadsafe(self._end, jobs, transaction)
        except RuntimeError:
            self._pass_on()

    def _end(self, jobs: list[_Job], transaction: SqliteTransaction) -> None:
        if any(job.error is None for job in jobs):
            self._committed(transaction.topics)
        for job in jobs:
            if not job.done.done():
                _resolve(job)
        self._pass_on()

    def _pass_on(self) -> None:
        """Let the loop whose jobs wait begin the next transaction; forget those of loops that have closed."""
        while True:
            with self._lock:
                queue = self._queue()
                if not queue:
                    self._rests.set()
                    return
                head = queue[0]
            try:
                head.done.get_loop().call_soon_threadsafe(self._round)
            except RuntimeError:
                with self._lock:
                    queue.remove(head)
            else:
                return


def _resolve(job: _Job) -> None:
    if job.error is None:
        job.done.set_result(job.result)
    else:
        job.done.set_exception(job.error)


def _run_all(jobs: list[_Job], transaction: SqliteTransaction, seconds: float = math.inf) -> list[_Job]:
    """Run jobs so that the failure of one leaves the others standing; a job that is alone may fail them all.

    Return those that were run: no further one begins after `seconds`.
    """
    if len(jobs) == 1:
        jobs[0].result = jobs[0].run(transaction)
        return jobs
    until = time.monotonic() + seconds
    for number, job in enumerate(jobs, 1):
        _run_apart(job, transaction)
        if time.monotonic() > until:
            return jobs[:number]
    return jobs


def _run_apart(job: _Job, transaction: SqliteTransaction) -> None:
    topics = set(transaction.topics)
    transaction.connection.execute("SAVEPOINT job")
    try:
        job.result = job.run(transaction)
    except Exception as error:
        if not transaction.connection.in_transaction:  # a full disk: SQLite has rolled all of it back by itself
            raise
        transaction.connection.execute("ROLLBACK TO job")
        transaction.topics = topics
        job.error = translated(error)
    transaction.connection.execute("RELEASE job")
