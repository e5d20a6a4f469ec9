"""PURE: how long to wait before a failed receiver is started again, and much longer where it is not let in."""

from __future__ import annotations

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0
REFUSED_SECONDS = (10.0, 30.0, 60.0, 900.0, 1800.0, 3600.0)
"""After the first refusal, the second, ...; the last one repeats. Few in a row, as providers lock accounts after
some ten; some, as servers in trouble may say no more than that a login failed."""


def backoff_seconds(failures: int, chance: float) -> float:
    """Return 1 s after the first failure, doubling to 60 s; `chance` in 0..1 spreads receivers that failed together.

    The result stays between 1 s and 60 s and moves by a quarter either way.
    """
    middle = FIRST_SECONDS * 2.0 ** min(failures - 1, 10)
    return min(LONGEST_SECONDS, max(FIRST_SECONDS, middle * (0.75 + chance / 2)))


def refused_seconds(refusals: int, chance: float) -> float:
    """Return how long to leave a provider alone that does not let us in; `chance` in 0..1 moves it by a quarter."""
    return REFUSED_SECONDS[min(refusals, len(REFUSED_SECONDS)) - 1] * (0.75 + chance / 2)
