"""PURE: looks into JSON that may be anything: what is not of the type asked for counts as absent."""

from __future__ import annotations

import json
from typing import Any

import msgspec

Json = dict[str, Any]
_WHOLE = 1 << 63


def decoded(data: bytes | str) -> Any:
    """Return JSON; half a letter (`\\ud83d`), which no decoder of ours takes, becomes `?`. Raises ValueError."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError):
        return msgspec.json.decode(json.dumps(json.loads(data), ensure_ascii=False).encode("utf-8", "replace"))


def obj(data: Json, name: str) -> Json:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def text(data: Json, name: str) -> str:
    value = data.get(name)
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def whole(data: Json, name: str) -> int:
    """Return 0 for what is no whole number of 64 bits."""
    value = data.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and -_WHOLE < value < _WHOLE else 0


def objs(data: Json, name: str) -> list[Json]:
    value = data.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def wholes(data: Json, name: str) -> list[int]:
    value = data.get(name)
    return [each for each in value if type(each) is int and 0 < each < _WHOLE] if isinstance(value, list) else []


def person(data: Json) -> str:
    """Return a user's or chat's name, with the @name behind it."""
    name = " ".join(part for part in (text(data, "first_name"), text(data, "last_name")) if part)
    name = name or text(data, "title")
    at = text(data, "username")
    if not at:
        return name
    return f"{name} (@{at})" if name else f"@{at}"
