"""Python's garbage collector for work that makes millions of small objects and no cycles: the only place that sets it.

Its 700 objects make it walk everything thousands of times a second under load.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS_PER_COLLECTION = 300_000
OF_A_SERVER = 5_000
"""A collection must not keep requests waiting: among 20,000 one of a hundred took over 120 ms, now 43."""


def collect_seldom(objects: int = OF_A_SERVER) -> None:
    """Look for cycles when so many objects were made, and never among what is there already."""
    leave_alone()
    gc.set_threshold(objects, 20, 50)


def leave_alone() -> None:
    """Never walk again what is there now: for a server that has just started that is 30 ms each time."""
    gc.collect()
    gc.freeze()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """`collect_seldom` for one piece of work."""
    before = gc.get_threshold()
    collect_seldom(OBJECTS_PER_COLLECTION)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
