"""Much work on an SQLite file beside its writer: the write lock is taken when everything is ready to be written.

Commits do not wait for the disk (synchronous=NORMAL): a power cut may take back the last of them, whole and in order
(sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, Literal

from shared.database.protocol import Row, Transaction
from shared.database.sqlite_checkpoint import KEPT_BYTES, Checkpoints, emptied
from shared.database.sqlite_transaction import SqliteTransaction, begun, translated
from shared.database.sqlite_turns import Turns
from shared.logs import Log
from shared.said import said

CACHE_KIBIBYTES = 64_000
RESTS = 5
"""Times as long as the lock was held, while others want it: who finds it taken at all, finds it so but seldom."""
REST_SECONDS = 0.025
"""At most, so that the work outpaces others who never stop."""
MOMENT_SECONDS = 0.005
LONG_SECONDS = 0.02
"""To wait for the lock, in the mean; a small step of a rebuild takes about as much with its rest."""
MEAN_OF = 8
READERS_MILLISECONDS = 100
"""Longer than a step of a rebuild reads: two processes would else keep the log from ever beginning anew."""
ANY = ""
"""A part of every statement."""
log = Log("database")
_WRITTEN = re.compile(r"\b(?:INTO|UPDATE(?:\s+OR\s+\w+)?|FROM)\s+(\w+)")


class LateTransaction(SqliteTransaction):
    """Keeps writes back until the end, or until something is asked that they may change.

    `lock` is called before the first write.
    """

    def __init__(self, connection: sqlite3.Connection, lock: Callable[[], None], keys: Any = None) -> None:
        super().__init__(connection, keys)
        self.locked_at: float | None = None
        self.waited_seconds = 0.0
        self._lock = lock
        self._kept: list[tuple[str, Callable[[], object]]] = []

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        self._carry_out_for(sql)
        return super().rows(sql, parameters)

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        self._carry_out_for(sql)
        return super().row(sql, parameters)

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        self._begin()
        return super().run(sql, parameters)

    def run_many(self, sql: str, parameters: Iterable[Sequence[object]]) -> None:
        self._kept.append((_table_written(sql), partial(super().run_many, sql, list(parameters))))

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]], tail: str = "") -> None:
        self._kept.append((table, partial(super().insert_many, table, columns, rows, tail)))

    def script(self, sql: str) -> None:
        self._kept.append((ANY, partial(super().script, sql)))

    def carry_out(self) -> None:
        """Write what was kept back, if anything."""
        if self._kept:
            self._begin()

    def _carry_out_for(self, sql: str) -> None:
        """A statement that names no table that is written to can go first."""
        if any(table in sql for table, _ in self._kept):
            self._begin()

    def _begin(self) -> None:
        if not self.connection.in_transaction:
            self._lock()
            began = time.monotonic()
            self.connection.execute("BEGIN IMMEDIATE")
            self.locked_at = time.monotonic()
            self.waited_seconds = self.locked_at - began
        kept, self._kept = self._kept, []
        for _, write in kept:
            write()


class SqliteAside:
    """Two connections, and the copying of the write-ahead log that grows by their work."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(
        self,
        writer: sqlite3.Connection,
        reader: sqlite3.Connection,
        checkpoints: Checkpoints,
        turns: Turns,
        keys: Any = None,
    ) -> None:
        self._writer, self._reader, self._checkpoints, self._keys = writer, reader, checkpoints, keys
        self._turns, self._has_turn = turns, False
        self._threads = ThreadPoolExecutor(1, "okno-aside")
        self._moment: Future[None] | None = None
        self._version: int | None = None
        self._others_wrote = False
        self._waited_seconds = self._held_seconds = 0.0
        self._waits = int(writer.execute("PRAGMA busy_timeout").fetchone()[0])
        writer.execute("PRAGMA synchronous=NORMAL")
        writer.execute(f"PRAGMA cache_size=-{CACHE_KIBIBYTES}")
        writer.execute(f"PRAGMA journal_size_limit={KEPT_BYTES}")

    def in_the_way(self) -> bool:
        return self._turns.others_wrote_lately()

    def waits_long(self) -> bool:
        return self._waited_seconds > LONG_SECONDS

    def held_seconds(self) -> float:
        return self._held_seconds

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        transaction = LateTransaction(self._writer, self._take_turn, self._keys)
        try:
            if self._version is None:  # what was written before there was any work is in nobody's way
                self._version = self._data_version()
            try:
                yield transaction
                transaction.carry_out()
                if self._writer.in_transaction:
                    self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            if transaction.locked_at is not None:
                self._waited_seconds += (transaction.waited_seconds - self._waited_seconds) / MEAN_OF
                self._held_seconds = time.monotonic() - transaction.locked_at
                self._after(self._held_seconds)
        except sqlite3.Error as error:
            raise translated(error) from error
        finally:
            if self._moment is None:
                self._end_turn()

    def leave(self) -> None:
        """Copy what is left of the write-ahead log, and empty it where nobody reads or writes in it just now."""
        self._threads.shutdown()
        self._writer.execute("PRAGMA busy_timeout=0")
        try:
            self._end_moment()
            emptied(self._writer)
        except (sqlite3.Error, OSError) as error:  # whoever writes next does it
            log.debug("write_ahead_log_left", reason=said(error))

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        transaction = SqliteTransaction(self._reader, self._keys)
        with begun(transaction, "DEFERRED"):
            yield transaction

    def _take_turn(self) -> None:
        """What changed since our own last turn was changed by others only if nobody else had one meanwhile."""
        self._end_moment()
        was_ours = self._turns.take()
        self._has_turn = True
        if was_ours:
            self._watch_others()
        else:
            self._version = self._data_version()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn, others_wrote = False, self._others_wrote
            self._others_wrote = False
            self._turns.give_back(others_wrote=others_wrote)

    def _after(self, held_seconds: float) -> None:
        """Leave the lock alone for a while, and to others who write the processor too: what was written goes to the
        disk meanwhile. Where there are none, what is written next is made in that moment.
        """
        self._watch_others()
        self._look()
        wanted = self._others_wrote or self.in_the_way()
        seconds = rest_seconds(held_seconds, wanted=wanted)
        if wanted:
            self._checkpoints.sync()
            self._rest(seconds)
        else:
            self._moment = self._threads.submit(self._rest_and_end, seconds)

    def _rest(self, seconds: float) -> None:
        time.sleep(seconds)
        self._watch_others()

    def _end_moment(self) -> None:
        """Return when the turn is given back. Raises what failed in that moment, once."""
        moment, self._moment = self._moment, None
        if moment is not None:
            moment.result()

    def _rest_and_end(self, seconds: float) -> None:
        try:
            self._rest(seconds)
        finally:
            self._end_turn()

    def _watch_others(self) -> None:
        """Look at a number that changes when others commit (sqlite.org/pragma.html#pragma_data_version)."""
        version = self._data_version()
        self._others_wrote = self._others_wrote or version != self._version
        self._version = version

    def _data_version(self) -> int:
        return int(self._writer.execute("PRAGMA data_version").fetchone()[0])

    def _look(self) -> None:
        """Hardly waiting: who waits for readers here keeps all writers waiting."""
        waits = READERS_MILLISECONDS if self._checkpoints.is_beyond() else 0
        self._writer.execute(f"PRAGMA busy_timeout={waits}")
        self._checkpoints.look(self._writer)
        self._writer.execute(f"PRAGMA busy_timeout={self._waits}")


def rest_seconds(held_seconds: float, *, wanted: bool) -> float:
    """Return how long to leave the lock alone after it was held; others who want it look for it at intervals.

    Somebody who never gets it commits nothing, so that nobody seems to want it: a moment there is always.
    """
    return min(RESTS * held_seconds, REST_SECONDS) if wanted else min(held_seconds, MOMENT_SECONDS)


@lru_cache(maxsize=256)
def _table_written(sql: str) -> str:
    """Return the table that a statement writes to; ANY when that cannot be told."""
    found = _WRITTEN.search(sql)
    return found[1] if found else ANY
