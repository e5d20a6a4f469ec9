"""PURE: a bot's place among its updates, and what a jump of update_id means.

Ids ascend by one; after a week without updates the next one is random (https://core.telegram.org/bots/api#update).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

KEPT_BY_TELEGRAM = timedelta(hours=24)
SILENCE_BEFORE_RESTART = timedelta(days=7) - timedelta(hours=1)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Everything before `next_id` is accepted; 0 before the first update."""

    next_id: int = 0
    updated_at: datetime = NEVER
    """When the last update came."""
    asked_at: datetime = NEVER
    """When Telegram last answered."""

    @classmethod
    def parse(cls, text: str) -> Place:
        next_id, updated, asked = (int(part) for part in text.split(":"))
        return cls(next_id, datetime.fromtimestamp(updated, UTC), datetime.fromtimestamp(asked, UTC))

    def __str__(self) -> str:
        return f"{self.next_id}:{int(self.updated_at.timestamp())}:{int(self.asked_at.timestamp())}"

    def was_away(self, at: datetime) -> bool:
        """Whether updates may have been dropped since Telegram last answered."""
        return self.asked_at != NEVER and at - self.asked_at > KEPT_BY_TELEGRAM

    def gaps(self, ids: Sequence[int], at: datetime) -> list[tuple[int, int]]:
        """Return the first and last id of every hole before and among `ids`, which are in the order they came."""
        found, expected = [], self.next_id
        if at - self.updated_at >= SILENCE_BEFORE_RESTART:
            expected = 0
        for id_ in ids:
            if expected and id_ > expected:
                found.append((expected, id_ - 1))
            expected = id_ + 1
        return found

    def after(self, ids: Sequence[int], at: datetime) -> Place:
        """Return the place when these, in the order they came, are accepted. Ids may begin again below the old ones."""
        if not ids:
            return replace(self, asked_at=at)
        return Place(ids[-1] + 1, at, at)
