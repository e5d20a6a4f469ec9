"""Posts a minute from one address, by GCRA: one number for each address, a minute's worth may come at once."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

REMEMBERED = 20_000
_MINUTE = 60.0


class RateLimit:
    """Counts posts of each remote address to each channel; the addresses longest silent are forgotten."""

    def __init__(self) -> None:
        self._due: OrderedDict[tuple[UUID, str], float] = OrderedDict()

    def wait_seconds(self, channel_id: UUID, remote: str, per_minute: int, at: float) -> float:
        """Return 0 and count the post, or the seconds until one is admitted. `at`: seconds of any steady clock."""
        if per_minute == 0:
            return 0.0
        interval, source = _MINUTE / per_minute, (channel_id, remote)
        due = max(self._due.get(source, at), at)
        wait = due + interval - at - _MINUTE
        if wait > 1e-6:
            return wait
        self._due[source] = due + interval
        self._due.move_to_end(source)
        if len(self._due) > REMEMBERED:
            self._due.popitem(last=False)
        return 0.0
