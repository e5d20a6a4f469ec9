"""Posts a minute from one source, by GCRA: one number for each source, a minute's worth may come at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

REMEMBERED = 20_000
_MINUTE = 60.0


class RateLimit:
    """Counts posts of each source; the sources longest silent are forgotten."""

    def __init__(self) -> None:
        self._due: OrderedDict[Hashable, float] = OrderedDict()

    def wait_seconds(self, source: Hashable, per_minute: int, at: float) -> float:
        """Return 0 and count the post, or the seconds until one is admitted. `at`: seconds of any steady clock."""
        if per_minute == 0:
            return 0.0
        interval = _MINUTE / per_minute
        due = max(self._due.get(source, at), at)
        wait = due + interval - at - _MINUTE
        if wait > 1e-6:
            return wait
        self._due[source] = due + interval
        self._due.move_to_end(source)
        if len(self._due) > REMEMBERED:
            self._due.popitem(last=False)
        return 0.0


@lru_cache(maxsize=4096)
def network(remote: str) -> str:
    """Return what is counted as one address: of IPv6 the /64, which one subscriber has for himself."""
    if ":" not in remote:
        return remote
    try:
        address = IPv6Address(remote)
    except ValueError:
        return remote
    return str(address.ipv4_mapped or IPv6Network((int(address), 64), strict=False))
