"""Whose turn it is to write, of all processes that work aside on one SQLite file; a process that dies gives it up.

Without it they would ask for SQLite's lock at intervals, and take each other for people who wait.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from pathlib import Path

LATELY_SECONDS = 1.0
_STATE = struct.Struct("<Qd")
"""How many turns there were, and when (time.monotonic, one clock for all processes) others were last seen to write."""


class Turns:
    """Used by one thread at a time. The file stands beside the database's."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._own = 0

    def take(self) -> bool:
        """Wait for the turn; return whether the last one was ours too."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self._state()[0] == self._own

    def give_back(self, *, others_wrote: bool) -> None:
        """`others_wrote`: somebody who does not work aside."""
        number, at = self._state()
        self._own = number + 1
        try:
            os.pwrite(self._file, _STATE.pack(self._own, time.monotonic() if others_wrote else at), 0)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def others_wrote_lately(self) -> bool:
        """Whether anybody's turn of the last second has seen that."""
        return 0 <= time.monotonic() - self._state()[1] < LATELY_SECONDS

    def close(self) -> None:
        os.close(self._file)

    def _state(self) -> tuple[int, float]:
        state = os.pread(self._file, _STATE.size, 0)
        return _STATE.unpack(state) if len(state) == _STATE.size else (0, -LATELY_SECONDS)
