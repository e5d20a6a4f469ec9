"""What stands in the place of an event that cannot be read, for those who show all the others: no model knows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unreadable:
    """`type`: its stored name; `why` in words, with the place in the log."""

    type: str
    why: str
