"""The events this process has recorded last, for those who follow the log: they need not be read and decoded again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import takewhile

from shared.domain.events import MessageReceived, Recorded

KEPT = 36_000
"""Some 80 MB at most, after as many; eight seconds of a burst, for which the search index waits."""
CHARACTERS = 8_000_000
"""Of texts in all: memory stays bounded however long the messages are."""
OVERTAKING = 3
"""Runs that wait for the one before them: two intakes of a process may tell of their commits the other way round."""


class Recent:
    """Serves unbroken runs of positions only: what another process recorded in between must come from the log."""

    def __init__(self, kept: int = KEPT, characters: int = CHARACTERS) -> None:
        self._runs: deque[Sequence[Recorded]] = deque()
        self._kept, self._most = kept, characters
        self._count = self._characters = 0
        self._ahead: dict[int, Sequence[Recorded]] = {}
        self._lock = threading.Lock()

    def put(self, events: Sequence[Recorded]) -> None:
        """Add events that are committed; of batches that were committed together the earlier may come later."""
        if not events:
            return
        with self._lock:
            self._ahead[events[0].position] = events
            if not self._extend() and (not self._runs or len(self._ahead) >= OVERTAKING):
                self._begin_anew()
            while self._count > self._kept or self._characters > self._most:
                self._forget_first()

    def clear(self) -> None:
        with self._lock:
            self._runs.clear()
            self._ahead.clear()
            self._count = self._characters = 0

    def _extend(self) -> bool:
        """Add the runs that follow without a gap; return whether there were any."""
        extended = False
        while self._runs and (following := self._ahead.pop(self._runs[-1][-1].position + 1, None)):
            self._add(following)
            extended = True
        return extended

    def _begin_anew(self) -> None:
        """What lies between the last run and those that wait was recorded by another process: go on with the newest."""
        newest = self._ahead[max(self._ahead)]
        self._ahead.clear()
        if not self._runs or newest[0].position > self._runs[-1][-1].position:
            self._runs.clear()
            self._count = self._characters = 0
            self._add(newest)

    def _add(self, events: Sequence[Recorded]) -> None:
        self._runs.append(events)
        self._count += len(events)
        self._characters += sum(map(_characters, events))

    def _forget_first(self) -> None:
        """Half of the oldest run: it may be a long one."""
        oldest = self._runs.popleft()
        half = (len(oldest) + 1) // 2
        self._count -= half
        self._characters -= sum(map(_characters, oldest[:half]))
        if half < len(oldest):
            self._runs.appendleft(oldest[half:])

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Return up to `limit` events that follow a position without a gap; none when they are not here."""
        with self._lock:
            later = list(takewhile(lambda run: run[-1].position > position, reversed(self._runs)))[::-1]
        if not later or later[0][0].position > position + 1:
            return []
        found = list(later[0][position + 1 - later[0][0].position :])
        for run in later[1:]:
            if len(found) >= limit:
                break
            found += run
        return found[:limit]


def _characters(recorded: Recorded) -> int:
    event = recorded.event
    return len(event.text) + len(event.full_text) + len(event.html) if isinstance(event, MessageReceived) else 0
