"""Time as Okno writes it: RFC 3339 in UTC with microseconds, so that texts sort like times."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


@lru_cache(maxsize=1024)
def to_text(at: datetime) -> str:
    """Return `2026-11-21T22:27:43.000000Z`. Raises ValueError for a time without zone."""
    if at.tzinfo is None:
        raise ValueError("a time without time zone")
    if at.tzinfo is not UTC:
        at = _in_utc(at)
    return at.isoformat(timespec="microseconds")[:-6] + "Z"


def from_text(text: str) -> datetime:
    """Return the moment of an RFC 3339 text, whose letters may be small (5.6); without a zone it is taken as UTC.

    Raises ValueError.
    """
    at = datetime.fromisoformat(f"{text[:-1]}Z" if text.endswith("z") else text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else _in_utc(at)


def _in_utc(at: datetime) -> datetime:
    """The last hours of the year 9999 and the first of the year 1 stay what they are where UTC has no such moment."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return at.replace(tzinfo=UTC)
