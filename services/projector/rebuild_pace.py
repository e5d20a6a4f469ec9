"""How many events a step of a rebuild has: together they cost less each, but others may wait for what is written.

Processor time tells large events from a busy machine: steps of large ones are short, so that memory stays small.
"""

from __future__ import annotations

FIRST, LEAST = 500, 60
WAITED_FOR = 500
"""While others write without a pause it is waiting that takes time: a step of these takes little more than of a few."""
NEAR = 300
"""Events that are taken in some 20 ms, while the others are held still."""
NEARER = 0.5
"""So much of the way at most is left after a pass that brought the end nearer."""
STEP_SECONDS = 0.25
"""Of processor time; the lock is held for a third of it."""


class Pace:
    """`most`: so many events at most. `least`: so many at least; more where fewer never come to the end of the log."""

    def __init__(self, most: int, least: int = LEAST) -> None:
        self._most, self._least = most, least
        self.events = min(FIRST, most)

    @property
    def least(self) -> int:
        """So few at least."""
        return min(self._least, self._most)

    def among_others(self, *, waits_long: bool) -> int:
        """So many while somebody else wants to write; `waits_long`: so much that steps wait longer than they work."""
        return max(self.least, min(WAITED_FOR, self.events) if waits_long else 0)

    def took(self, seconds: float) -> None:
        """A step took this much processor time."""
        if seconds > STEP_SECONDS:
            self.events = max(self.least, self.events // 2)
        elif seconds < STEP_SECONDS / 2:
            self.events = min(self._most, self.events * 2)


class Approach:
    """How the way to the end of a log that grows becomes shorter, from one pass over what is there to the next.

    `least`: the size of a step among others, doubled after a pass that brought the end hardly nearer: steps that are
    small for the others' sake may take in less than the others write.
    """

    def __init__(self) -> None:
        self.least = LEAST
        self._before: int | None = None

    def is_over(self, left: int) -> bool:
        """Return whether no other pass is due, of so many events that are left: there is none, or they are few again,
        and the rest is for whoever holds the others still."""
        before, self._before = self._before, left
        if not left or before is None:
            return not left
        if left > before * NEARER:
            self.least = min(2 * self.least, WAITED_FOR)
        return max(left, before) <= NEAR
