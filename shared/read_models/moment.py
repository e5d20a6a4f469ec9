"""A past moment as the tables know it: the end the log had then, and whose clock is meant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from shared.clock import to_text

By = Literal["known", "happened"]
"""known: what we had recorded by then; happened: what had happened by then, by the channels' clocks."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """`position` is the last one the log had then; `happened_until`: what had happened by then is meant."""

    position: int
    happened_until: datetime | None = None

    @property
    def occurred_until(self) -> int | None:
        """The same as `happened_until`, in microseconds since 1970."""
        return microseconds(self.happened_until) if self.happened_until else None

    def includes(self, position: int, occurred_at: str) -> bool:
        """Return whether something recorded at a position was known, or had happened, then."""
        if self.happened_until is None:
            return position <= self.position
        return occurred_at <= to_text(self.happened_until)


def microseconds(at: datetime) -> int:
    """Return the microseconds since 1970."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
