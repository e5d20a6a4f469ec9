"""How far a long piece of work is, for whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`before`: how much of `done` an earlier run has done, one that was broken off."""

    step: str
    done: int
    total: int
    before: int = 0


Watcher = Callable[[Progress], None]
"""May be called from another thread."""


def nobody(_: Progress) -> None:
    """Watch nothing."""
