"""PURE: posts that no person made: a field that people do not see is filled in, or the form was sent too soon."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from shared.channels.web_form.names import innermost

HONEYPOTS = frozenset({"_gotcha", "bot-field", "botcheck", "_honey", "_honeypot"})
"""Formspree, Netlify, Web3Forms, FormSubmit; `_gotcha` also in forms of ours."""
ELAPSED, SHOWN_AT = "_elapsed", "_shown_at"
"""Seconds from showing the form to sending it (told by the script); Unix time of showing it (the page without one)."""
_EMPTY = frozenset({"", "false"})


def is_spam(
    fields: Iterable[tuple[str, str]], honeypots: frozenset[str], least_seconds: float, received_at: datetime
) -> bool:
    """Return whether a honeypot was filled in, or less than `least_seconds` passed where the form tells of them."""
    for name, value in fields:
        if (_is_honeypot(name) or name in honeypots) and value.strip().lower() not in _EMPTY:
            return True
        if name in (ELAPSED, SHOWN_AT) and 0 <= _passed(name, value, received_at) < least_seconds:
            return True
    return False


@lru_cache(maxsize=4096)
def _is_honeypot(name: str) -> bool:
    return innermost(name).lower() in HONEYPOTS


def _passed(name: str, value: str, received_at: datetime) -> float:
    """Return the seconds; what is no number proves nothing."""
    try:
        seconds = float(value)
    except ValueError:
        return -1.0
    return seconds if name == ELAPSED else received_at.timestamp() - seconds
