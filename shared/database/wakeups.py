"""Wakes the listeners of a topic in this process; for other processes it watches a number that a commit changes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from weakref import ref

POLL_SECONDS = 0.25
"""What other processes commit to an SQLite file is only what the command line does."""


class TopicListener:
    """Waits on the event loop it was made in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, version: Callable[[], int] | None) -> None:
        self._loop, self._version = loop, version
        self._event = asyncio.Event()
        self._seen = version() if version else 0

    def wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, timeout_seconds: float) -> bool:
        deadline = self._loop.time() + timeout_seconds
        while not self._event.is_set() and not self._changed_elsewhere():
            left = deadline - self._loop.time()
            if left <= 0:
                return False
            with suppress(TimeoutError):  # not wait_for: before Python 3.12 it can lose a cancellation
                async with asyncio.timeout(min(left, POLL_SECONDS) if self._version else left):
                    await self._event.wait()
        self._event.clear()
        return True

    def _changed_elsewhere(self) -> bool:
        if self._version is None:
            return False
        version = self._version()
        changed, self._seen = version != self._seen, version
        return changed


class Wakeups:
    """The listeners of one process by topic, in their order, while somebody has them. `wake`: from any thread."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[ref[TopicListener]]] = {}
        self._lock = threading.Lock()

    def listener(self, topic: str, version: Callable[[], int] | None = None) -> TopicListener:
        """Return a new listener. `version`: polled while waiting, a change counts as a wake-up."""
        listener = TopicListener(asyncio.get_running_loop(), version)
        with self._lock:
            there = [each for each in self._listeners.get(topic, ()) if each() is not None]
            self._listeners[topic] = [*there, ref(listener)]
        return listener

    def wake(self, topics: Iterable[str]) -> None:
        with self._lock:
            kept = [each for topic in topics for each in self._listeners.get(topic, ())]
        for listener in filter(None, (each() for each in kept)):
            listener.wake()

    def wake_all(self) -> None:
        """Wake every listener: something may have been missed."""
        with self._lock:
            topics = list(self._listeners)
        self.wake(topics)
