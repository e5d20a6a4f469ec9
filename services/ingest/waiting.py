"""Who waits and since when: one timer ends all that wait too long; a time-out for each costs ten times as much."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


class Waiting:
    """Things waited for by tasks, the oldest first; each for at most `seconds`, and until somebody looks again."""

    def __init__(self, seconds: float, look_every_seconds: float = 0.1) -> None:
        self._seconds, self._look_every = seconds, look_every_seconds
        self._since: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._since)

    async def for_(self, work: Awaitable[T]) -> T:
        """Return what `work` gives. Raises TimeoutError; a task may wait for one thing at a time."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        if self._timer is None:
            self._timer = loop.call_later(self._look_every, self._look)
        self._since[task] = loop.time()
        try:
            return await work
        except asyncio.CancelledError:
            if task in self._overdue and task.cancelling() == 1:
                raise TimeoutError from None
            raise
        finally:
            del self._since[task]
            if task in self._overdue:
                self._overdue.discard(task)
                task.uncancel()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        too_early = loop.time() - self._seconds
        for task, since in self._since.items():
            if since > too_early:
                break
            if task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
        self._timer = loop.call_later(self._look_every, self._look) if self._since else None
