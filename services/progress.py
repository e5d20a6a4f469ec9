"""How far a long command is: a bar with rate and time left on a terminal, JSON lines with --json; both on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import orjson

from shared.progress import Progress, Watcher, nobody

BAR = 30
BAR_SECONDS = 0.1
LINE_SECONDS = 1.0
COUNTED = "events"
"""The step whose rate is told."""


@contextmanager
def shown_progress(as_json: bool, out: TextIO | None = None) -> Iterator[Watcher]:
    """Yield what shows how far the work is; on what is no terminal nothing is shown, unless JSON is wanted."""
    out = out or sys.stderr
    if as_json:
        yield _Shown(out, _line, LINE_SECONDS)
    elif out.isatty():
        shown = _Shown(out, _bar, BAR_SECONDS)
        yield shown
        if shown.anything:
            out.write("\n")
    else:
        yield nobody


@contextmanager
def shown_events(out: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """Yield what shows, on a terminal, how many events of the log are done and how many there are."""
    with shown_progress(False, out) as watcher:
        yield lambda done, total: watcher(Progress(COUNTED, done, total))


class _Shown:
    """Shows the beginning and the end of each step, and something now and then in between."""

    def __init__(self, out: TextIO, text: Callable[[Progress, float], str], seconds: float) -> None:
        self._out, self._text, self._seconds = out, text, seconds
        self._began = time.monotonic()
        self._step, self._next = "", 0.0
        self.anything = False

    def __call__(self, progress: Progress) -> None:
        at = time.monotonic()
        if progress.step == self._step and at < self._next and progress.done < progress.total:
            return
        self._step, self._next, self.anything = progress.step, at + self._seconds, True
        rate = (progress.done - progress.before) / max(at - self._began, 1e-6) if progress.step == COUNTED else 0.0
        self._out.write(self._text(progress, rate))
        self._out.flush()


def _bar(progress: Progress, rate: float) -> str:
    full = BAR * progress.done // progress.total if progress.total else BAR
    told = f"\r[{'#' * full}{'.' * (BAR - full)}] {progress.done}/{progress.total} {progress.step}"
    if rate:
        told += f", {rate:,.0f}/s, {(progress.total - progress.done) / rate:.0f} s left"
    return f"{told}\x1b[K"


def _line(progress: Progress, rate: float) -> str:
    told: dict[str, object] = {"step": progress.step, "done": progress.done, "total": progress.total}
    if rate:
        told |= {"per_second": round(rate), "seconds_left": round((progress.total - progress.done) / rate, 1)}
    return orjson.dumps(told).decode() + "\n"
