"""What a library repeats is said a few times a period, then only counted: an outage of days must not fill the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

PERIOD_SECONDS = 10.0
SAID = 2
"""Lines of one kind a period; aiokafka alone writes 70 a second for each member of a group while its broker is away."""
KINDS = 100
"""Of which lines are counted a period, so that memory stays bounded; the first of the others are written as well."""


class Repeated(logging.Filter):
    """Lets SAID lines of one kind through a period; the next one that is let through says how many were left out.

    A kind is the logger, the message before its values are put in, and where an error came from.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock, self._ends_at = clock, float("-inf")
        self._came: Counter[object] = Counter()
        self._unsaid: Counter[object] = Counter()
        self._counting = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("okno."):
            return True
        kind = _kind(record)
        with self._counting:
            is_said, unsaid = self._count(kind)
        if is_said and unsaid:
            record.fields = {"unsaid": unsaid}
        return is_said

    def _count(self, kind: object) -> tuple[bool, int]:
        """Return whether a line is said, and how many of its kind were not since the last that was."""
        self._begin_a_period()
        if kind not in self._came and len(self._came) >= KINDS:
            kind = "others"
        self._came[kind] += 1
        if self._came[kind] <= SAID:
            return True, self._unsaid.pop(kind, 0)
        self._unsaid[kind] += 1
        return False, 0

    def _begin_a_period(self) -> None:
        if (at := self._clock()) >= self._ends_at:
            self._ends_at = at + PERIOD_SECONDS
            self._came.clear()
            self._unsaid = Counter(dict(self._unsaid.most_common(KINDS)))


def _kind(record: logging.LogRecord) -> object:
    error = record.exc_info[1] if record.exc_info else None
    place = error.__traceback__ if error else None
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    code = place and (place.tb_frame.f_code, place.tb_lineno)
    return record.name, record.levelno, str(record.msg), type(error), code
