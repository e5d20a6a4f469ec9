"""The few events of a batch that say something to a read model: most of them say nothing to most of the models."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from shared.domain.events import Recorded


def told(events: Sequence[Recorded], types: Collection[type]) -> list[Recorded]:
    """Return those events that are exactly of one of these types: one look into a set for each event."""
    return [recorded for recorded in events if type(recorded.event) in types]
