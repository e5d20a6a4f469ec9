"""A progress bar on stderr with rate and time left, for commands that go through the whole log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

BAR = 30


def bar(what: str) -> Callable[[int, int], None]:
    """Return what draws it, given how much is done and how much there is in all."""
    began = time.monotonic()

    def draw(done: int, total: int) -> None:
        rate = done / max(time.monotonic() - began, 1e-6)
        left = (total - done) / rate if rate else 0.0
        full = BAR * done // total if total else BAR
        end = "\n" if done >= total else ""
        shown = "#" * full + "." * (BAR - full)
        sys.stderr.write(f"\r[{shown}] {done}/{total} {what}, {rate:,.0f}/s, {left:.0f} s left {end}")
        sys.stderr.flush()

    return draw
