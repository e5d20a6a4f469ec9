"""The lines that calendars (RFC 5545) and visiting cards (RFC 6350, vCard 2.1) are made of, PURE."""

from __future__ import annotations

import quopri
import re
from dataclasses import dataclass

from shared.channels.email import charset

MAX_BYTES = 128 * 1024
MAX_LINES = 5_000

_LINE = re.compile(
    r"(?:[\w-]{1,60}\.)?([A-Za-z0-9-]{1,60})((?:;[^:;\"]{0,200}(?:\"[^\"]{0,200}\")?){0,20}):(.*)", re.DOTALL
)
_FOLD = re.compile(r"\n[ \t]")
_SOFT_BREAK = re.compile(r"=\n")
_ESCAPED = re.compile(r"\\([\\;,nN:])")
_PARAMETER = re.compile(r";([A-Za-z0-9-]{1,60})=\"?([^;\"]{0,200})\"?")


@dataclass(frozen=True, slots=True)
class Line:
    """`name` and the names of `parameters` are in capitals; `value` is decoded, its escapes are not undone."""

    name: str
    parameters: dict[str, str]
    value: str


def read(data: bytes, declared: str) -> list[Line]:
    """Return the lines, folded ones joined; those that are none are left out."""
    text = charset.clean(charset.decode(data[:MAX_BYTES], declared or "utf-8"))
    text = _FOLD.sub("", text)
    if "quoted-printable" in text.lower():
        text = _SOFT_BREAK.sub("", text)
    return [line for raw in text.split("\n", MAX_LINES)[:MAX_LINES] if (line := _line(raw))]


def unescaped(value: str) -> str:
    """Return a text value as it is read: `\\n` is a line break, `\\,` a comma."""
    return charset.one_line(_ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], value), 1_000)


def _line(raw: str) -> Line | None:
    found = _LINE.match(raw)
    if not found:
        return None
    parameters = {name.upper(): value for name, value in _PARAMETER.findall(found[2])}
    value = found[3]
    if "QUOTED-PRINTABLE" in found[2].upper():
        raw_value = quopri.decodestring(value.encode("utf-8", "replace"))
        value = charset.clean(charset.decode(raw_value, parameters.get("CHARSET", "utf-8")))
    return Line(found[1].upper(), parameters, value)
