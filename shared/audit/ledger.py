"""The ledger: for each channel what was received, stored, shown, quarantined and answered, and every hole by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.clock import to_text

NAMED = 1000
"""Holes that are kept by name; further ones are only counted, so that memory stays bounded."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Something that should be there and is not; `done` says what became of it, `at` since when."""

    kind: str
    channel_id: UUID | None
    at: datetime
    what: str
    done: str
    position: int | None = None
    conversation_id: UUID | None = None

    def shown(self) -> dict[str, Any]:
        """Return it as the API and the command line show it."""
        return {
            "kind": self.kind,
            "channel_id": str(self.channel_id) if self.channel_id else None,
            "at": to_text(self.at),
            "what": self.what,
            "done": self.done,
            "position": self.position,
            "conversation_id": str(self.conversation_id) if self.conversation_id else None,
        }


@dataclass(slots=True)
class Counts:
    """One channel's. Not frozen: it is counted up. Replies are counted by attempts."""

    stored: int = 0
    shown: int = 0
    quarantined: int = 0
    on_the_way: int = 0
    """In the transport, not yet in the log."""
    not_recorded: int = 0
    asked: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    sending: int = 0

    @property
    def received(self) -> int:
        """What the channel gave us: an item stands in exactly one of these places."""
        return self.stored + self.quarantined + self.on_the_way + self.not_recorded


@dataclass(slots=True)
class Ledger:
    """Follows the log, so it is not frozen. `holes` has the first NAMED, `kinds` counts all."""

    counts: dict[UUID, Counts] = field(default_factory=dict)
    holes: list[Hole] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    events: int = 0
    position: int = 0
    """How far in the log it was compared."""
    erased_records: int = 0
    """On the topic, sealed with a key that an erasure destroyed: nobody can compare them any more."""

    def pass_over(self) -> None:
        self.erased_records += 1

    def of(self, channel_id: UUID) -> Counts:
        return self.counts.setdefault(channel_id, Counts())

    def note(self, hole: Hole) -> None:
        self.kinds[hole.kind] += 1
        if len(self.holes) < NAMED:
            self.holes.append(hole)

    @property
    def complete(self) -> bool:
        return not self.kinds
