"""What errors say, as logs may have it: without what may be a client's.

Quoted texts, addresses, long numbers, and whatever is not written in ASCII are left out; ids, moments, quoted names of
columns and hosts, and paths stay: operators need them.
"""

from __future__ import annotations

import re
import traceback
from typing import Any

GONE = "…"
CHARACTERS = 2000
"""More of a message is left out: what is looked for in it takes time."""
_ID = r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
_MOMENT = (
    r"(?<!\d)20\d\d-(?:0[1-9]|1[0-2])-[0-3]\d(?!\d)"
    r"(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-][0-2]\d:?[0-5]\d)?(?!\d))?"
)
_NAME = r"(?![^'\"]*\d[\d._-]{3,}\d)[a-z][a-z0-9_.-]{0,62}"
"""Of a column, a table, a setting, a host: five digits may be somebody's number."""
_PATH = r"(?![^'\"]*(?<![0-9A-Za-z])\d{7,}(?![0-9A-Za-z]))\.{0,2}/[A-Za-z0-9_./+-]*"
_ABOUT = re.compile(
    rf"(?P<kept>{_ID}|{_MOMENT}|(?<!\w)'(?:{_NAME}|{_PATH})'(?!\w)|\"(?:{_NAME}|{_PATH})\")"
    r"|(?<!\w)b['\"](?P<code>\[[A-Z][A-Z0-9-]*\])[^\n]*"  # IMAP's answer: b'[AUTHENTICATIONFAILED] no such user'
    r"|=\([^)\n]*\)"  # PostgreSQL's DETAIL: Key (address)=(anna@example.com)
    r"|(?<!\w)[bru]?'(?:\\.|[^\\\n])*?'(?!\w)|(?<!\w)[bru]?'[^'\n]*(?:'|$)"  # not the apostrophe of "can't"
    r"|\"[^\"\n]*(?:\"|$)|“[^”\n]*(?:”|$)|`[^`\n]*(?:`|$)"
    r"|[^\s<>,;:()]{1,320}@[^\s<>,;:()]+"
    r"|\d{5,}:[\w-]{20,}"  # the token of a bot, as it stands in the addresses of its calls
    r"|\+?\d[\d() -]{5,}\d"
    r"|[^\x00-\x7f]+",
    re.MULTILINE,
)
FIELDS = frozenset(("error", "reason", "why"))
"""Fields of a line that may quote an error."""


def masked(text: str) -> str:
    """Return a message without what it quotes; quoted names as programs have them, and paths, stay."""
    return _ABOUT.sub(_instead, text[:CHARACTERS]) + GONE * (len(text) > CHARACTERS)


def _instead(match: re.Match[str]) -> str:
    return match["kept"] or (f"{match['code']} {GONE}" if match["code"] else GONE)


def told(error: BaseException) -> str:
    """Return the traceback of an error and of those that led to it: places in the code, names of errors, masked words.

    Source lines are the program's own; values of variables are in none.
    """
    return "".join(_lines(traceback.TracebackException.from_exception(error)))


def _lines(found: traceback.TracebackException) -> list[str]:
    for each in _all(found, set()):
        words = each._str  # type: ignore[attr-defined]
        each._str = masked(words) if isinstance(words, str) else words  # type: ignore[attr-defined]
        notes: Any = getattr(each, "__notes__", None)
        each.__notes__ = [masked(str(note)) for note in notes] if notes else notes
    return list(found.format())


def _all(found: traceback.TracebackException, seen: set[int]) -> list[traceback.TracebackException]:
    if id(found) in seen:
        return []
    seen.add(id(found))
    further = (found.__cause__, found.__context__, *(found.exceptions or ()))
    return [found, *(each for next_ in further if next_ is not None for each in _all(next_, seen))]
