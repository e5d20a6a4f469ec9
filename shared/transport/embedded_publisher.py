"""Publishing to the embedded log: what is published before a commit has its turn goes into it, all together."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence

from shared.clock import now
from shared.database.protocol import Database, Transaction
from shared.pace import Pace
from shared.transport.embedded_log import Entry, append, entry
from shared.transport.limits import check_size
from shared.transport.protocol import Outgoing, TransportUnavailable
from shared.values import dataclass

COMMIT_RECORDS = 2_000
COMMIT_BYTES = 8 * 1024 * 1024
COMMIT_SECONDS = 60.0
ROUND_SECONDS = 0.015
"""Between commits of a burst: a commit costs as much as two records."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    topic: str
    entries: Sequence[Entry]
    size: int
    done: asyncio.Future[None]


class EmbeddedPublisher:
    """One a transport. What cannot be encoded fails at once and alone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Waiting] = deque()
        self._pace = Pace(ROUND_SECONDS)
        self._committing: asyncio.Task[None] | None = None

    async def publish(self, topic: str, record: Outgoing) -> None:
        size = check_size(record)
        await self._committed(topic, (entry(record, size),), size)

    async def publish_many(self, topic: str, records: Sequence[Outgoing]) -> None:
        if records:
            entries = [entry(record, check_size(record)) for record in records]
            await self._committed(topic, entries, sum(e.size for e in entries))

    async def close(self) -> None:
        """Return when everything that was published is committed or has failed."""
        if self._committing is not None:
            await self._committing

    async def _committed(self, topic: str, entries: Sequence[Entry], size: int) -> None:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(topic, entries, size, done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all(), name="transport-commit")
        await done

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                await self._pace.keep()
                await self._commit()
        finally:
            self._committing = None

    def _next(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        records = size = 0
        while self._waiting and records < COMMIT_RECORDS and size < COMMIT_BYTES:
            taken.append(self._waiting.popleft())
            records += len(taken[-1].entries)
            size += taken[-1].size
        return taken

    async def _commit(self) -> None:
        """Tell every waiter: None once it is durable, TransportUnavailable whatever else came of the write."""
        turn = _Turn()

        def job(tx: Transaction) -> None:
            _append_all(turn.take(self._next), tx)

        failure: Exception | None = None
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._database.write(job, brief=True, prompt=True)
        except Exception as error:  # the waiters raise it: none may take its record as published
            failure = error
        for waiting in turn.end(self._next if failure else list):
            if waiting.done.done():
                continue
            if failure is None:
                waiting.done.set_result(None)
            else:
                waiting.done.set_exception(_unavailable(failure))


class _Turn:
    """Who goes with one commit: taken when it has its turn, mostly by the loop, sometimes by the database's thread."""

    def __init__(self) -> None:
        self._taken: list[_Waiting] = []
        self._is_over = False
        self._lock = threading.Lock()

    def take(self, waiting: Callable[[], list[_Waiting]]) -> Sequence[_Waiting]:
        """Return who waits; nobody once the commit is given up, as none would be told."""
        with self._lock:
            if not self._is_over:
                self._taken = waiting()
            return self._taken if not self._is_over else ()

    def end(self, instead: Callable[[], list[_Waiting]]) -> Sequence[_Waiting]:
        """Return who is to be told; `instead`: who waits, where it never came to be anybody's turn."""
        with self._lock:
            self._is_over = True
            return self._taken or instead()


def _append_all(batch: Sequence[_Waiting], tx: Transaction) -> None:
    topics: defaultdict[str, list[Entry]] = defaultdict(list)
    for waiting in batch:
        topics[waiting.topic].extend(waiting.entries)
    at = now()
    for topic, entries in sorted(topics.items()):
        append(tx, topic, entries, at)


def _unavailable(cause: Exception) -> TransportUnavailable:
    failure = TransportUnavailable(f"the log did not confirm: {cause!r}")
    failure.__cause__ = cause
    return failure
