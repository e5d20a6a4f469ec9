"""How long the disk itself takes to have what was written: what answers wait for, whoever writes."""

from __future__ import annotations

import os
import time
from pathlib import Path

WRITES, BYTES, PAUSE_SECONDS = 200, 200_000, 0.015
"""About what 500 posts a second write, commit by commit."""
PLACES = 20


def sync_seconds(folder: Path) -> list[float]:
    """Return the seconds that each of some writes to a file of its own took until it was durable."""
    path, data, took = folder / "sync.bin", os.urandom(BYTES), list[float]()
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        for number in range(WRITES):
            time.sleep(PAUSE_SECONDS)
            began = time.perf_counter()
            os.pwrite(file, data, number % PLACES * BYTES)
            os.fdatasync(file)
            took.append(time.perf_counter() - began)
    finally:
        os.close(file)
        path.unlink()
    return took
