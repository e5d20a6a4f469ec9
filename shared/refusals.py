"""PURE: how long to leave a provider alone that does not let us in: one rule for receiving and for sending."""

from __future__ import annotations

REFUSED_SECONDS = (10.0, 30.0, 60.0, 900.0, 1800.0, 3600.0)
"""After the first refusal, the second, ...; the last one repeats. Few in a row, as providers lock accounts after
some ten, and a mailbox is logged in to for reading and for sending; some, as servers in trouble may say no more than
that a login failed."""


def refused_seconds(refusals: int, chance: float) -> float:
    """Return how long to rest after so many refusals in a row; `chance` in 0..1 moves it by a quarter."""
    return REFUSED_SECONDS[min(refusals, len(REFUSED_SECONDS)) - 1] * (0.75 + chance / 2)
