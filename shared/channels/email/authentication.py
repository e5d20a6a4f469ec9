"""What our own mail server found out about the sender (RFC 8601), PURE. Nobody else's word counts."""

from __future__ import annotations

import re

from shared.channels.email import words

MAX_HEADERS = 20

_COMMENT = re.compile(r"\([^()]{0,500}\)")
_RESULT = re.compile(r"\s*([a-z0-9-]{1,30})(?:/\d+)?\s*=\s*([a-z]{1,20})\b", re.IGNORECASE)


def results(values: list[bytes], authserv_id: str) -> dict[str, str]:
    """Return method -> result (`dmarc` -> `fail`) as the server with this id wrote them; none without an id.

    A server removes headers that claim to be its own (RFC 8601, 5), so of several the first is the one to believe.
    """
    found: dict[str, str] = {}
    for value in values[:MAX_HEADERS] if authserv_id else []:
        server, _, rest = _COMMENT.sub(" ", words.text(value, 8_000)).partition(";")
        if server.split()[:1] != [] and server.split()[0].lower() == authserv_id.lower():
            for one in rest.split(";"):
                if result := _RESULT.match(one):
                    found.setdefault(result[1].lower(), result[2].lower())
    return found
