"""PURE: how long to wait before a failed receiver is started again; where it is not let in: `shared/refusals`."""

from __future__ import annotations

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0


def backoff_seconds(failures: int, chance: float) -> float:
    """Return 1 s after the first failure, doubling to 60 s; `chance` in 0..1 spreads receivers that failed together.

    The result stays between 1 s and 60 s and moves by a quarter either way.
    """
    middle = FIRST_SECONDS * 2.0 ** min(failures - 1, 10)
    return min(LONGEST_SECONDS, max(FIRST_SECONDS, middle * (0.75 + chance / 2)))
