"""Where the end of the log was at a past moment: what an operator could see then is the events up to there.

Clocks of several processes differ by a little, so times in the log do not quite rise: of several places that fit, the
same one is found whenever it is asked, because the steps of the search depend on positions only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shared.database.protocol import Transaction
from shared.event_store.log import head, read_log


def position_at(tx: Transaction, at: datetime) -> int:
    """Return the position of the last event recorded by then, 0 when there is none. Reads some 20 events."""
    return _last(tx, lambda recorded_at: recorded_at <= at)


def position_before(tx: Transaction, at: datetime) -> int:
    """Return the position of the last event recorded before then, 0 when there is none."""
    return _last(tx, lambda recorded_at: recorded_at < at)


def _last(tx: Transaction, fits: Callable[[datetime], bool]) -> int:
    end = head(tx)
    position, step = 0, 1 << end.bit_length()
    while step := step >> 1:
        if position + step <= end and fits(_recorded_at(tx, position + step)):
            position += step
    return position


def _recorded_at(tx: Transaction, position: int) -> datetime:
    """Positions may be left out (PostgreSQL, after an insert that failed): then the next one counts."""
    (recorded,) = read_log(tx, position - 1, 1, pass_over=True)
    return recorded.recorded_at
