"""PURE: when a reply that failed is tried again, and when it is given up."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.connector import SendError

SCHEDULE_SECONDS = (2.0, 5.0, 15.0, 60.0, 300.0, 900.0)
"""After the first try, the second, ...; the last one repeats."""
SOONEST_SECONDS = 1.0
GIVE_UP_AFTER = timedelta(hours=24)


def next_try(tries: int, error: SendError, now: datetime, first_try_at: datetime) -> datetime | None:
    """Return when to try again after `tries` tries, None to give up.

    A provider that says when to come back (`retry_after_seconds`) is believed, down to one second.
    """
    if not error.retryable:
        return None
    if error.retry_after_seconds is None:
        seconds = SCHEDULE_SECONDS[min(max(tries, 1), len(SCHEDULE_SECONDS)) - 1]
    else:
        seconds = max(SOONEST_SECONDS, error.retry_after_seconds)
    left = (first_try_at + GIVE_UP_AFTER - now).total_seconds()
    return now + timedelta(seconds=seconds) if seconds <= left else None
