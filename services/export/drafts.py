"""The hidden draft beside a file. Its writer holds a lock on it, which ends with the process, however that ends."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_ENDING = ".partial"


def new_draft(target: Path) -> tuple[int, Path]:
    """Return a new draft of a file, open for writing, and its name. Drafts that nobody writes any more are removed."""
    with suppress(PermissionError):  # a folder that may be written to and not listed
        for abandoned in _drafts(target):
            _remove_unless_held(abandoned)
    while True:
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_ENDING, dir=target.parent)
        with suppress(OSError):  # a file system that knows no locks: nobody else can have one there either
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(number).st_nlink:
            return number, Path(name)
        os.close(number)  # taken for an abandoned one before it was locked


def _drafts(target: Path) -> Iterator[Path]:
    ours = re.compile(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}{re.escape(_ENDING)}")
    yield from (path for path in target.parent.iterdir() if ours.fullmatch(path.name))


def _remove_unless_held(draft: Path) -> None:
    """Whatever cannot be opened or locked is somebody's."""
    with suppress(OSError):
        number = os.open(draft, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()
        finally:
            os.close(number)
