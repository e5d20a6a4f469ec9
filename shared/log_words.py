"""What errors say, as logs may have it: without what may be a client's.

Quoted texts, addresses, long numbers, and whatever is not written in ASCII are left out; ids stay.
"""

from __future__ import annotations

import re
import traceback
from typing import Any

GONE = "…"
_KEPT = r"(?P<kept>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)"
_ABOUT = re.compile(
    _KEPT
    + r"|=\([^)\n]*\)"  # PostgreSQL's DETAIL: Key (address)=(anna@example.com)
    + r"|'[^'\n]*'|\"[^\"\n]*\"|“[^”\n]*”|`[^`\n]*`"
    + r"|[^\s<>,;:()]+@[^\s<>,;:()]+"
    + r"|\+?\d[\d() -]{5,}\d"
    + r"|[^\x00-\x7f]+"
)
FIELDS = frozenset(("error", "reason", "why"))
"""Fields of a line that may quote an error."""


def masked(text: str) -> str:
    """Return a message without what it quotes."""
    return _ABOUT.sub(lambda match: match["kept"] or GONE, text)


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
