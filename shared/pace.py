"""Lets the first of a burst pass at once and the rest together: work done in rounds costs less per piece."""

from __future__ import annotations

import asyncio


class Pace:
    """At most one round each `seconds`; call `keep` before a round."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._next = seconds, 0.0

    async def keep(self) -> None:
        """Return at once after a pause, else when the time for the next round has come."""
        loop = asyncio.get_running_loop()
        left = self._next - loop.time()
        if left > 0:
            await asyncio.sleep(left)
        self._next = loop.time() + self._seconds
