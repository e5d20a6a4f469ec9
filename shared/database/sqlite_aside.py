"""Much work on an SQLite file beside its writer: the write lock is taken when everything is ready to be written.

Commits do not wait for the disk (synchronous=NORMAL): a power cut may take back the last of them, whole and in order
(sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from shared.database.protocol import Row, Transaction
from shared.database.sqlite_checkpoint import Checkpoints
from shared.database.sqlite_transaction import SqliteTransaction, begun, translated

CACHE_KIBIBYTES = 64_000
LATELY_SECONDS = 1.0
REST_SECONDS = 0.05
LEAST_REST_SECONDS = 0.005


class LateTransaction(SqliteTransaction):
    """Keeps writes back until the end, or until something is asked that they may change."""

    def __init__(self, connection: sqlite3.Connection, keys: Any = None) -> None:
        super().__init__(connection, keys)
        self.locked_at: float | None = None
        self._kept: list[Callable[[], object]] = []

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        self.carry_out()
        return super().rows(sql, parameters)

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        self.carry_out()
        return super().row(sql, parameters)

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        self._begin()
        return super().run(sql, parameters)

    def run_many(self, sql: str, parameters: Iterable[Sequence[object]]) -> None:
        self._kept.append(partial(super().run_many, sql, list(parameters)))

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]], tail: str = "") -> None:
        self._kept.append(partial(super().insert_many, table, columns, rows, tail))

    def script(self, sql: str) -> None:
        self._kept.append(partial(super().script, sql))

    def carry_out(self) -> None:
        """Write what was kept back, if anything."""
        if self._kept:
            self._begin()

    def _begin(self) -> None:
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN IMMEDIATE")
            self.locked_at = time.monotonic()
        kept, self._kept = self._kept, []
        for write in kept:
            write()


class SqliteAside:
    """Two connections, and the copying of the write-ahead log that grows by their work."""

    def __init__(
        self, writer: sqlite3.Connection, reader: sqlite3.Connection, checkpoints: Checkpoints, keys: Any = None
    ) -> None:
        self._writer, self._reader, self._checkpoints, self._keys = writer, reader, checkpoints, keys
        self._version = int(writer.execute("PRAGMA data_version").fetchone()[0])
        self._others_wrote_at = -LATELY_SECONDS
        self._waits = int(writer.execute("PRAGMA busy_timeout").fetchone()[0])
        writer.execute("PRAGMA synchronous=NORMAL")
        writer.execute(f"PRAGMA cache_size=-{CACHE_KIBIBYTES}")

    def in_the_way(self) -> bool:
        return time.monotonic() - self._others_wrote_at < LATELY_SECONDS

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        transaction = LateTransaction(self._writer, self._keys)
        try:
            try:
                yield transaction
                transaction.carry_out()
                if self._writer.in_transaction:
                    self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise translated(error) from error
        held = time.monotonic() - transaction.locked_at if transaction.locked_at is not None else 0.0
        self._watch_others()
        self._look()
        self._rest(held)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        transaction = SqliteTransaction(self._reader, self._keys)
        with begun(transaction, "DEFERRED"):
            yield transaction

    def _rest(self, held_seconds: float) -> None:
        """Leave the lock alone as long as it was held when others want it, who look for it at intervals; else a moment.

        Somebody who never gets it commits nothing, so that nobody seems to want it.
        """
        time.sleep(min(REST_SECONDS if self.in_the_way() else LEAST_REST_SECONDS, held_seconds))

    def _watch_others(self) -> None:
        """Look at a number that changes when others commit (sqlite.org/pragma.html#pragma_data_version)."""
        version = int(self._writer.execute("PRAGMA data_version").fetchone()[0])
        if version != self._version:
            self._version, self._others_wrote_at = version, time.monotonic()

    def _look(self) -> None:
        """Without waiting: who waits for readers here keeps all writers waiting."""
        self._writer.execute("PRAGMA busy_timeout=0")
        self._checkpoints.look(self._writer)
        self._writer.execute(f"PRAGMA busy_timeout={self._waits}")
