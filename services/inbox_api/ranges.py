"""PURE: which bytes a request asks for (RFC 9110, section 14): one range, or the whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))[ \t]*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


class Unsatisfiable(Exception):
    """No byte of the range is there: 416."""


def span_of(asked: str, only_if: str, tag: str, size: int) -> Span | None:
    """Return what a Range header asks for of `size` bytes; None: the whole. Raises Unsatisfiable.

    `only_if` is If-Range: anything but the `tag` of what is there now means the whole. A header that cannot be
    understood is ignored, and several ranges may be (section 14.2): players ask for one.
    """
    found = _RANGE.fullmatch(asked)
    if found is None or (only_if and only_if.strip() != tag):
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return _checked(max(0, size - int(suffix)), size - 1, size)
    if last and int(last) < int(first):
        return None
    return _checked(int(first), min(int(last), size - 1) if last else size - 1, size)


def _checked(first: int, last: int, size: int) -> Span:
    if first >= size or last < first:
        raise Unsatisfiable(f"bytes */{size}")
    return Span(first, last)
