"""Copies the write-ahead log into the file beside the writer, so that no commit waits for it.

Source: sqlite.org/wal.html, "Checkpointing": a PASSIVE checkpoint blocks nobody; the log starts anew once it is copied
as a whole and nobody reads in it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.said import said

COPY_BYTES = 64 * 1024 * 1024
"""A page that changes often is copied once for all its changes, so not too early."""
KEPT_BYTES = 32 * 1024 * 1024
"""What the log keeps when it begins anew: to write over it is cheaper than to make it grow."""
SMALL_PAGES = 64
"""What is left to the writer's connection: no commit goes on meanwhile, 29 ms for what comes during one pass."""
MOST_PASSES = 8
BOUND_BYTES = 512 * 1024 * 1024
LOOK_COMMITS = 16
log = Log("database")
_sync = getattr(os, "fdatasync", os.fsync)


class Checkpoints:
    """`look` is called by the writer after its commits; the copying has a thread and a connection of its own."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._wal = Path(f"{path}-wal")
        self._connect = connect
        self._thread = ThreadPoolExecutor(1, "okno-checkpoint")
        self._connection: sqlite3.Connection | None = None
        self._copying: Future[None] | None = None
        self._commits = 0

    def look(self, writer: sqlite3.Connection) -> None:
        """Start a copy when the log has grown; finish it on the writer's connection when little is left."""
        try:
            if self._copying is not None and self._copying.done():
                copying, self._copying = self._copying, None
                copying.result()
                self._finish(writer)
            self._commits += 1
            if self._copying is None and self._commits % LOOK_COMMITS == 0 and self._size() > COPY_BYTES:
                self._copying = self._thread.submit(self._copy)
        except (
            sqlite3.Error,
            DatabaseUnavailable,
            OSError,
        ) as error:  # what is committed is safe in the log; the next look tries again
            log.warning("checkpoint_failed", reason=said(error))

    def is_beyond(self) -> bool:
        """Whether the log is so large that readers are waited for."""
        return self._size() > BOUND_BYTES

    def sync(self) -> None:
        """Bring the log to the disk: else whoever commits next, and waits for the disk, waits for all of it.

        SQLite has no lock on this file that would be given up as it is closed (sqlite.org/howtocorrupt.html, 2.2).
        """
        try:
            with self._wal.open("rb") as log_file:
                _sync(log_file.fileno())
        except OSError as error:  # nobody has been told that it is durable: who tells so syncs by SQLite
            log.warning("sync_failed", reason=said(error))

    def stop(self) -> None:
        """Return when no copy runs any more."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()

    def _finish(self, writer: sqlite3.Connection) -> None:
        """What came meanwhile is little: with it copied the next commit begins the log anew.

        Beyond BOUND_BYTES the readers are waited for, so that the disk does not fill up.
        """
        how = "RESTART" if self.is_beyond() else "PASSIVE"
        writer.execute(f"PRAGMA wal_checkpoint({how})")

    def _copy(self) -> None:
        """Copy until what came meanwhile is little: each pass copies what there was at its beginning."""
        if self._connection is None:
            self._connection = self._connect()
        before = 0
        for _ in range(MOST_PASSES):
            _, _, copied = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if copied - before <= SMALL_PAGES:
                return
            before = copied

    def _size(self) -> int:
        try:
            return os.stat(self._wal).st_size
        except FileNotFoundError:
            return 0


def emptied(connection: sqlite3.Connection) -> bool:
    """Copy the write-ahead log; return whether all of it was copied and nobody kept it from being emptied."""
    _, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return pages == copied and not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
