"""PURE: when a webhook that failed is tried again, and when somebody has to look: doubling, over three days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 3600.0
"""A partner that is back after a day is not left waiting for another one."""
JITTER = 0.2
"""Many subscriptions of one partner must not all come back in the same second."""
GIVE_UP_AFTER = timedelta(days=3)


def next_try(tries: int, since: datetime, at: datetime, asked_seconds: float | None, luck: float) -> datetime | None:
    """Return when to try again after `tries` tries that have failed since a moment, None once three days are over.

    `asked_seconds`: the partner's Retry-After, believed up to those three days. `luck`: from 0 to 1.
    """
    left = (since + GIVE_UP_AFTER - at).total_seconds()
    if left <= 0:
        return None
    seconds = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(max(tries - 1, 0), 20))
    seconds *= 1 + JITTER * (2 * luck - 1)
    if asked_seconds is not None:
        seconds = max(seconds, asked_seconds)
    return at + timedelta(seconds=min(seconds, left))


def seconds_asked(retry_after: str, at: datetime) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, section 10.2.3), None for anything else.

    The oldest of the three ways to write a date there names no zone: it is UTC (section 5.6.7).
    """
    if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10:
        return float(retry_after)
    try:
        then = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError, OverflowError):  # the last of numbers that no clock shows
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - at).total_seconds())
