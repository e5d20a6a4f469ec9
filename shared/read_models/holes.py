"""Holes: events that were passed over because they could not be read, until they can be read and are shown.

Not a read model: it says what the read models lack.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.clock import now, to_text
from shared.database.protocol import Transaction
from shared.domain.events import Recorded
from shared.domain.unreadable import Unreadable

SCHEMA = """
CREATE TABLE IF NOT EXISTS unreadable_events (
    position BIGINT PRIMARY KEY, why TEXT NOT NULL, noted_at TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Hole:
    """An event that is not shown, or a reply that was not told to outbound."""

    position: int
    why: str


def of(events: Iterable[Recorded]) -> list[Hole]:
    """Return the holes among some events."""
    found: Iterable[tuple[int, Any]] = ((recorded.position, recorded.event) for recorded in events)
    return [Hole(position, event.why) for position, event in found if isinstance(event, Unreadable)]


def untold(recorded: Recorded) -> Hole:
    """Return the hole of an event that can be read and was not told to other services."""
    name = type(recorded.event).__name__
    why = f"{name} at position {recorded.position} was not told: an event it speaks of cannot be read"
    return Hole(recorded.position, why)


def note(tx: Transaction, holes: Sequence[Hole]) -> None:
    """Remember holes; what is known already is left as it is."""
    rows = [(hole.position, hole.why, to_text(now())) for hole in holes]
    if rows:
        tx.insert_many("unreadable_events", ("position", "why", "noted_at"), rows, "ON CONFLICT DO NOTHING")


def noted(tx: Transaction, after: int, limit: int) -> list[Hole]:
    """Return the holes after a position, in order."""
    sql = "SELECT position, why FROM unreadable_events WHERE position > ? ORDER BY position LIMIT ?"
    return [Hole(*row) for row in tx.rows(sql, (after, limit))]


def count(tx: Transaction) -> int:
    row = tx.row("SELECT count(*) FROM unreadable_events")
    return int(row[0]) if row else 0


def forget(tx: Transaction, positions: Iterable[int]) -> None:
    """They can be read, and all read models were made anew with them."""
    tx.run_many("DELETE FROM unreadable_events WHERE position = ?", [(position,) for position in positions])
