"""PURE: whether a server that refuses a login will not let us in, or only not now. A response code decides first.

Words are asked only where there is no code: Exchange, Gmail, Yandex and old Dovecots say much without one.
"""

from __future__ import annotations

import re

_CODE = re.compile(r"\[([A-Z]+)\b")
_FOR_GOOD = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN"})
_FOR_NOW = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED", "OVERQUOTA"})
"""RFC 5530, section 3, RFC 9208 (OVERQUOTA), and what Gmail and Yahoo say."""
_SOON = re.compile(
    r"\b(?:(?:un|not )available|throttl\w+|busy|exceeded|overload\w*|maximum number|temporar\w+|try (?:again|later)"
    r"|again later|(?:internal|system|server) error|lookup failed|rate limit|not connected|timed? ?out"
    r"|too many (?:\w+ ){0,2}(?:connections|sessions|requests))\b",
    re.IGNORECASE,
)


def is_for_now(said: str) -> bool:
    """Return whether the same login may be taken soon. `said`: the server's words after NO."""
    codes = set(_CODE.findall(said))
    if codes & _FOR_GOOD:
        return False
    return bool(codes & _FOR_NOW or _SOON.search(said))
