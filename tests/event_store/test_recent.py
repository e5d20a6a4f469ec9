"""The events recorded last: served in unbroken runs only, whatever order their batches come in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared.domain import events as e
from shared.event_store.recent import Recent

AT = datetime(2026, 1, 1, tzinfo=UTC)


def _run(first: int, last: int, text: str = "") -> list[e.Recorded]:
    note = e.NoteAdded(UUID(int=1), UUID(int=2), UUID(int=3), text)
    actor = e.Actor("system")
    return [e.Recorded(n, UUID(int=1), n, AT, AT, None, actor, note) for n in range(first, last + 1)]


def _positions(events: Sequence[e.Recorded]) -> list[int]:
    return [recorded.position for recorded in events]


def test_events_are_served_after_a_position() -> None:
    recent = Recent()
    recent.put(_run(1, 5))
    recent.put(_run(6, 8))
    assert _positions(recent.after(4, 3)) == [5, 6, 7]
    assert recent.after(8, 3) == []


def test_batches_that_overtake_each_other_are_one_run() -> None:
    recent = Recent()
    for first, last in ((1, 5), (9, 12), (6, 8)):
        recent.put(_run(first, last))
    assert _positions(recent.after(0, 100)) == list(range(1, 13))


def test_what_another_process_recorded_is_not_skipped() -> None:
    recent = Recent()
    for first, last in ((1, 5), (8, 9), (10, 11), (12, 14)):
        recent.put(_run(first, last))
    assert recent.after(5, 100) == []
    assert recent.after(4, 100) == []
    assert _positions(recent.after(11, 100)) == [12, 13, 14]


@pytest.mark.parametrize("seed", range(20))
def test_no_gap_is_ever_served(seed: int) -> None:
    chance, recent = random.Random(seed), Recent(kept=30)
    runs = [(n * 5 + 1, n * 5 + 5) for n in range(40) if chance.random() > 0.2]
    while runs:
        recent.put(_run(*runs.pop(min(len(runs) - 1, chance.randrange(3)))))
        for position in range(200):
            served = _positions(recent.after(position, 50))
            assert served == list(range(position + 1, position + 1 + len(served)))
