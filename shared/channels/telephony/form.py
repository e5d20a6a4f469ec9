"""PURE: the urlencoded body of a signed webhook. Strict: one body has one reading, so no changed byte goes unseen."""

from __future__ import annotations

import re
from urllib.parse import quote_plus, unquote_to_bytes

FIELDS = 200

_RAW = r"[!-$'-<>-~]"
"""Printable ASCII without %, & and =; a space is written as +."""


def _body(escape: str) -> re.Pattern[bytes]:
    character = f"(?:{_RAW}|{escape})"
    pair = f"{character}+={character}*"
    return re.compile(f"{pair}(?:&{pair})*".encode())


_BODIES = _body("%[0-9A-F]{2}"), _body("%[0-9a-f]{2}")
"""Providers write escapes in capital or in small letters, but never in both."""


def decode(body: bytes) -> list[tuple[str, str]]:
    """Return names and values in their order. Raises ValueError."""
    if not any(pattern.fullmatch(body) for pattern in _BODIES):
        raise ValueError("not application/x-www-form-urlencoded")
    pairs = body.split(b"&", FIELDS)
    if len(pairs) > FIELDS:
        raise ValueError(f"more than {FIELDS} fields")
    return [(_text(name), _text(value)) for name, _, value in (pair.partition(b"=") for pair in pairs)]


def decode_unique(body: bytes) -> dict[str, str]:
    """Return the values by name. Raises ValueError, also for a name that comes twice."""
    pairs = decode(body)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field comes twice")
    return fields


def encode(fields: dict[str, str]) -> bytes:
    """Return the body that `decode` reads."""
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in fields.items()).encode()


def _text(part: bytes) -> str:
    """Raises ValueError for what is not UTF-8."""
    return unquote_to_bytes(part.replace(b"+", b" ")).decode()
