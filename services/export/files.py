"""Where an export goes: a file that appears only when it is whole, or stdout; JSON lines, gzip by the name's ending."""

from __future__ import annotations

import errno
import gzip
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, cast

from services.export.drafts import new_draft
from shared.domain.events import Recorded
from shared.event_store.shown import json_lines

STDOUT = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
COMPRESSION = 6
SYNC_SECONDS = 0.5
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class EventFile(Protocol):
    """Takes events in order; `end` writes what is still in hand."""

    form: str

    def add(self, events: Sequence[Recorded]) -> None: ...

    def add_piece(self, piece: bytes) -> None:
        """Take events as `services.export.apart` makes them."""

    def end(self) -> None: ...


class JsonLines:
    """An event a line; `compressed` with gzip."""

    form = "jsonl"

    def __init__(self, out: IO[bytes], *, compressed: bool) -> None:
        self._zip = gzip.GzipFile(fileobj=out, mode="wb", compresslevel=COMPRESSION, mtime=0) if compressed else None
        self._out = out if self._zip is None else cast("IO[bytes]", self._zip)

    def add(self, events: Sequence[Recorded]) -> None:
        self.add_piece(json_lines(events))

    def add_piece(self, piece: bytes) -> None:
        self._out.write(piece)

    def end(self) -> None:
        if self._zip is not None:
            self._zip.close()


@contextmanager
def whole_file(name: str) -> Iterator[IO[bytes]]:
    """Yield what to write to: a draft beside the file, which takes its name at the end, or stdout for a name of it.

    After a failure the file is what it was before. Only its owner can read it: it is full of what clients wrote.
    Raises OSError, with the file's name where the disk is full.
    """
    if name in STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    given = Path(name)
    if given.exists() and not given.is_file():  # what /dev/fd/63 links to has no path: it is opened as it was given
        with given.open("wb") as out:  # a pipe or a device has no draft
            yield out
        return
    target = given.resolve()  # what a link names is written, the link stays
    number, draft = new_draft(target)
    try:
        with os.fdopen(number, "wb", buffering=1024 * 1024) as out:
            with _on_disk_early(number):
                yield out
            out.flush()
            os.fsync(number)
            os.replace(draft, target)  # while it is locked: unlocked, another export would remove it
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise OSError(error.errno, f"{error.strerror}, so the file is as it was before", str(target)) from error
        raise


@contextmanager
def _on_disk_early(number: int) -> Iterator[None]:
    """Have the disk write what is there while more is made: the system would begin when a gigabyte waits.

    Raises what writing has failed with: Linux tells that once only (fsync(2)).
    """
    ended = threading.Event()

    def sync() -> None:
        while not ended.wait(SYNC_SECONDS):
            os.fsync(number)

    with ThreadPoolExecutor(1, "okno-sync") as thread:
        syncing = thread.submit(sync)
        try:
            yield
        finally:
            ended.set()
        syncing.result()
