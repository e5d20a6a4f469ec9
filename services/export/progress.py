"""A progress bar on stderr, for those who watch: rate and seconds left; nothing where nobody does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

WIDTH = 30
REDRAW_SECONDS = 0.1
Progress = Callable[[int, int, int], None]
"""Called with the positions done and in all, and how many events that gave."""


def progress_bar() -> Progress:
    """Return what draws the bar; on what is no terminal it draws nothing."""
    if not sys.stderr.isatty():
        return lambda done, total, events: None
    began, drawn = time.monotonic(), 0.0

    def draw(done: int, total: int, events: int) -> None:
        nonlocal drawn
        at = time.monotonic()
        if done < total and at - drawn < REDRAW_SECONDS:
            return
        drawn = at
        rate = done / max(at - began, 1e-6)
        left = (total - done) / rate if rate else 0.0
        full = WIDTH * done // total if total else WIDTH
        bar = "#" * full + "." * (WIDTH - full)
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r[{bar}] {events} events, {rate:,.0f} positions/s, {left:.0f} s left {end}")
        sys.stderr.flush()

    return draw
