"""A child process that fills some of the new tables of a rebuild while its parent fills the others.

It is an ordinary part of the rebuild, with a core and connections of its own: what it has done when it is killed is
done, and the parent does the rest. While others are at work it rests, and leaves its core to them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from services.collector import seldom_collected
from services.projector import rebuild_made
from services.projector.rebuild_made import MadeAhead
from services.projector.rebuild_part import Part
from shared.apart import Child, ChildEnded, Parent, child, cores
from shared.database.protocol import Aside, DatabaseUnavailable
from shared.keys.place import Place
from shared.logs import Log
from shared.progress import Progress
from shared.read_models import live
from shared.read_models.model import is_in_two
from shared.read_models.rebuilds import Begun
from shared.said import said

APART_EVENTS = 20_000
"""For fewer a child, which takes half a second to begin, is not worth it."""
COSTS = {"search": 18, "timeline": 15, "conversations": 10, "clocks": 3}
"""Microseconds of processor for an event with its share of the indexes, as measured on SQLite, without reading it."""
OTHERS_COST = 0.5
REST_SECONDS = 0.2
RESTS = Progress("resting", 0, 0)
log = Log("projector")


@contextmanager
def beside(whole: Part, place: Place | None) -> Iterator[tuple[Part, Callable[[], None]]]:
    """Yield what of a rebuild is to be done here, and a function that waits for the rest.

    Without a place, a second core or much to do there is no child, and all of it is done here.
    """
    own, other = shares(whole.names)
    if place is None or cores() < 2 or whole.left() < APART_EVENTS:
        yield whole, _nothing
    elif other:
        with child(f"{__name__}:fill", place, whole.begun, other) as process:
            both = _Both(whole, process)
            yield replace(whole, names=own, watcher=both.watch), both.wait
    elif is_in_two(live.models()[own[0]]):
        with child(f"{rebuild_made.__name__}:make", place, own[0]) as process:
            yield replace(whole, ahead=MadeAhead(own[0], process)), _nothing
    else:
        yield whole, _nothing


def shares(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the models in two shares that cost about the same; the second may be empty."""
    halves: tuple[list[str], list[str]] = ([], [])
    costs = [0.0, 0.0]
    for name in sorted(names, key=lambda name: -COSTS.get(name, OTHERS_COST)):
        less = costs.index(min(costs))
        halves[less].append(name)
        costs[less] += COSTS.get(name, OTHERS_COST)
    return halves


class _Both:
    """How far both shares are, for whoever watches the rebuild: as far as the slower one."""

    def __init__(self, whole: Part, process: Child) -> None:
        self._whole, self._process = whole, process
        self._here: Progress | None = None
        self._there: Progress | None = None
        self._is_over = False

    def watch(self, progress: Progress) -> None:
        """Take what the own share tells."""
        while not self._is_over and self._process.has_something():
            self._receive()
        if progress.step != "events":
            self._whole.watcher(progress)
            return
        self._here = progress
        self._tell()

    def wait(self) -> None:
        """Return when the child is done, or not needed any more: one that rests is no help.

        Raises what was raised in it, unless it was killed, or found no memory or no connection.
        """
        while not self._is_over and not self._whole.aside.in_the_way():
            self._receive()
            self._tell()

    def _receive(self) -> None:
        try:
            progress = self._process.receive(self._whole.goes_on)
        except (ChildEnded, DatabaseUnavailable, MemoryError) as error:  # the parent goes on alone
            log.warning("rebuild_goes_on_alone", reason=said(error))
            self._is_over = True
        else:
            self._is_over = progress is None
            if progress is not None and progress.step == "events":
                self._there = progress

    def _tell(self) -> None:
        told = [each for each in (self._here, self._there) if each is not None]
        if told:
            self._whole.watcher(min(told, key=lambda each: each.done))


def _nothing() -> None:
    return


# --- the child's side -------------------------------------------------------------------------------------


def fill(parent: Parent, place: Place, begun: Begun, names: Sequence[str]) -> None:
    """Do a share of a rebuild: send how far it is, and None when it is done. Whose parent has gone ends with that."""
    database = place.open()

    with seldom_collected(), database.aside() as aside:
        part = Part(aside, begun, names, parent.send, partial(_rest, parent, aside))
        part.fill()
        part.make_indexes()
    parent.send(None)


def _rest(parent: Parent, aside: Aside) -> None:
    """Wait until nobody else has written for a while; to tell so ends this process once its parent has gone."""
    while aside.in_the_way():
        parent.send(RESTS)
        time.sleep(REST_SECONDS)
