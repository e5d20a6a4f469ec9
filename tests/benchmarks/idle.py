"""An `okno up` with nothing to do: how soon it is ready, and how much memory it keeps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.embedded import okno_up
from tests.benchmarks.table import Figure

SETTLE_SECONDS = 5


def figures() -> Iterator[Figure]:
    with okno_up() as okno:
        yield Figure("idle: start to ready", okno.started_after, "s", 2, False)
        time.sleep(SETTLE_SECONDS)
        yield Figure("idle: resident memory", _resident_megabytes(okno.process.pid), "MB", 150, False)


def _resident_megabytes(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
