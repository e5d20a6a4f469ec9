"""How many events a step of a rebuild has: together they cost less each, but others may wait for what is written.

Processor time tells large events from a busy machine: steps of large ones are short, so that memory stays small.
"""

from __future__ import annotations

FIRST, LEAST = 500, 60
WAITED_FOR = 500
"""While others write without a pause it is waiting that takes time: a step of these takes little more than of a few."""
STEP_SECONDS = 0.25
"""Of processor time; the lock is held for a third of it."""


class Pace:
    """`most`: so many events at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.events = min(FIRST, most)

    @property
    def least(self) -> int:
        """So few at least."""
        return min(LEAST, self._most)

    def among_others(self, *, waits_long: bool) -> int:
        """So many while somebody else wants to write; `waits_long`: so much that steps wait longer than they work."""
        return min(WAITED_FOR, self.events) if waits_long else self.least

    def took(self, seconds: float) -> None:
        """A step took this much processor time."""
        if seconds > STEP_SECONDS:
            self.events = max(self.least, self.events // 2)
        elif seconds < STEP_SECONDS / 2:
            self.events = min(self._most, self.events * 2)
