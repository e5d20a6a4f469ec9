"""Fills the new tables of some read models from the log, step by step, and makes their indexes.

A model's position moves in the transaction that fills its tables, so everything may be broken off and begun again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from services.projector.rebuild_pace import Approach, Pace
from shared.database.protocol import Aside, Transaction
from shared.domain.events import Recorded
from shared.event_store.log import read_log_within
from shared.progress import Progress, Watcher
from shared.read_models import holes, live, rebuilds
from shared.read_models.holes import Hole
from shared.read_models.model import Gathered, is_gathering
from shared.read_models.rebuilds import Begun

BATCH = 2000
BATCH_BYTES = 8 * 1024 * 1024
"""Two steps are in memory at most, decoded and as rows."""
GATHERED = 8_000
"""Rows that are written together, where a model gathers: some 4 MB, which keep the lock for some 60 ms."""
EARLY = 20_000
"""Positions of the log that are in tables so small that SQLite makes an index of one in some 20 ms."""
Into = str | Gathered
"""The prefix of tables, or what is gathered of them."""


class Step(Protocol):
    """A piece of the log, or what was made of it, for tables that are at its beginning or beyond."""

    @property
    def reached(self) -> int:
        """The position up to which it has everything."""

    @property
    def holes(self) -> Sequence[Hole]: ...

    def apply(self, tx: Transaction, name: str, into: Into, after: int, until: int) -> None:
        """Take what is after a position and not beyond another into the new tables of a model."""


class Ahead(Protocol):
    """Who makes the steps of a part, one ahead of those that are written."""

    def steps(self, part: Part, after: int, total: int, pace: Pace) -> Iterator[Step]:
        """Return the steps from a position of the log to another."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some models of a rebuild that has begun. `goes_on` is called between the steps and may raise.

    `ahead`: who makes the steps; None: they are read here.
    """

    aside: Aside
    begun: Begun
    names: Sequence[str]
    watcher: Watcher
    goes_on: Callable[[], None]
    ahead: Ahead | None = None

    def left(self) -> int:
        """Return how many positions of the log the model that is furthest behind has before it."""
        with self.aside.reading() as tx:
            at, until = rebuilds.positions(tx), goals(tx, self.names)
        return max((until[name] - at.get(name, 0) for name in self.names), default=0)

    def fill(self) -> None:
        """Apply the log until the new tables are where the live ones are, or as near as others who never stop let them
        be. Raises Overtaken."""
        with self.aside.reading() as tx:
            at = rebuilds.positions(tx)
        if missing := [name for name in self.names if name not in at]:
            raise rebuilds.Overtaken(f"another process has taken up the rebuild of {missing[0]}")
        first, approach = min(at[name] for name in self.names), Approach()
        while True:
            with self.aside.reading() as tx:
                until = goals(tx, self.names)
            behind = {name: until[name] for name in self.names if at[name] < until[name]}
            if approach.is_over(max((to - at[name] for name, to in behind.items()), default=0)):
                return
            self._catch_up(at, behind, first, approach.least)

    def make_indexes(self, names: Sequence[str] | None = None) -> None:
        """Make the indexes of the queries that are missing; `names`: of some models only."""
        scripts = (live.models()[name].indexes(self.begun.prefix) for name in names or self.names)
        statements = [statement for script in scripts for statement in script.split(";") if statement.strip()]
        for number, statement in enumerate(statements, 1):
            self.goes_on()
            with self.aside.writing() as tx:
                tx.script(statement)
            self.watcher(Progress("indexes", number, len(statements)))

    def _catch_up(self, at: dict[str, int], until: dict[str, int], first: int, least: int) -> None:
        """Move `at` up to `until`: the tables of a model that gathers follow in larger steps.

        Where others write, indexes are made as soon as that is seen: while SQLite makes one of a large table, everybody
        would wait for seconds.
        """
        total, pace, reached = max(until.values()), Pace(BATCH, least), {name: at[name] for name in until}
        into = {name: self._into(name, alone=len(until) == 1) for name in until}
        small = {name for name, position in reached.items() if position < EARLY}
        steps = self.steps if self.ahead is None else partial(self.ahead.steps, self)
        for step in steps(min(reached.values()), total, pace):
            began, before = time.thread_time(), reached
            reached = {name: max(before[name], min(step.reached, until[name])) for name in until}
            with self.aside.writing() as tx:
                holes.note(tx, step.holes)
                for name in until:
                    step.apply(tx, name, into[name], before[name], until[name])
                written = [name for name in until if self._is_written(tx, into[name], reached[name] == until[name])]
                moved = {name: reached[name] for name in written}
                rebuilds.move(tx, self.begun, at, {name: to for name, to in moved.items() if to > at[name]})
            at |= moved
            pace.took(time.thread_time() - began)
            self.watcher(Progress("events", step.reached, total, first))
            small = {name for name in small if reached[name] < EARLY}
            if small and self.aside.dialect == "sqlite" and self.aside.in_the_way():
                self.make_indexes(sorted(small))
                small = set()

    def _into(self, name: str, *, alone: bool) -> Into:
        """One that is alone writes in every step: by its turns it sees whether others write."""
        model = live.models()[name]
        return model.gathered(self.begun.prefix) if is_gathering(model) and not alone else self.begun.prefix

    def _is_written(self, tx: Transaction, into: Into, is_end: bool) -> bool:
        """Write what is gathered when it is time to; return whether the tables have everything."""
        if isinstance(into, str):
            return True
        is_time = is_end or into.size >= GATHERED or self.aside.in_the_way()
        if is_time:
            into.write(tx)
        return is_time

    def steps(self, after: int, total: int, pace: Pace) -> Iterator[Step]:
        """Yield the log from a position to another. PostgreSQL's next events are read while these are written.

        Of SQLite's not: two threads would take turns at the interpreter, statement by statement, and whoever holds
        SQLite's one lock would hold it for twice as long.
        """
        with ThreadPoolExecutor(1, "okno-rebuild-read") as threads:
            ahead: Future[list[Recorded]] | None = None
            while after < total:
                self.goes_on()
                events = ahead.result() if ahead else self._read(after, pace)
                after = events[-1].position if events else total
                if after < total and self.aside.dialect == "postgres":
                    ahead = threads.submit(self._read, after, pace)
                yield Events(events, min(after, total))

    def _read(self, after: int, pace: Pace) -> list[Recorded]:
        with self.aside.reading() as tx:
            return read_log_within(tx, after, self.most(pace), BATCH_BYTES)

    def most(self, pace: Pace) -> int:
        """Return how many events a step may have just now."""
        return pace.among_others(waits_long=self.aside.waits_long()) if self.aside.in_the_way() else pace.events


@dataclass(frozen=True, slots=True)
class Events:
    """A step as it is read."""

    events: Sequence[Recorded]
    reached: int

    @property
    def holes(self) -> Sequence[Hole]:
        return holes.of(self.events)

    def apply(self, tx: Transaction, name: str, into: Into, after: int, until: int) -> None:
        apply(tx, name, into, self.events, after, until)


def goals(tx: Transaction, names: Sequence[str]) -> dict[str, int]:
    """Return how far the live tables of some models are."""
    standings = live.standings(tx)
    return {name: standings[name].position for name in names}


def apply(tx: Transaction, name: str, into: Into, events: Sequence[Recorded], after: int, until: int) -> None:
    """Take into the new tables of a model, or into what is gathered of them, those events that are after a position and
    not beyond another."""
    if events and (events[0].position <= after or events[-1].position > until):
        events = [recorded for recorded in events if after < recorded.position <= until]
    if not events:
        return
    if isinstance(into, str):
        live.models()[name].apply(tx, events, into)
    else:
        into.take(tx, events)
