"""A child process makes rows of the log, which its parent writes in the order of the log: of a model that is in two.

While the rows that come next are not there the parent makes some of those after them: both cores are busy, whatever
rows cost to make and to write. Only the parent writes, so a child that is killed leaves nothing behind.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.collector import seldom_collected
from services.projector.rebuild_pace import Pace
from services.projector.rebuild_part import Into, Part, Step
from shared.apart import Child, ChildEnded, Parent
from shared.database.protocol import DatabaseUnavailable, Transaction
from shared.domain.events import Recorded
from shared.event_store.log import read_log_within
from shared.keys.place import Place
from shared.logs import Log
from shared.read_models import holes, live
from shared.read_models.holes import Hole
from shared.read_models.model import InTwo, is_in_two
from shared.said import said

AHEAD = 2
"""Pieces of the log that the child may have in hand."""
MADE_BEFORE = 6
"""Steps that the parent has before it can write them; then it makes no more, and takes no more than the next."""
PIECE_BYTES = 2 * 1024 * 1024
"""As it is stored; what is larger comes in several steps. A dozen of them may be in memory, as rows."""
SILENT_SECONDS = 60.0
"""A piece takes a fraction of a second: who says nothing for so long is stopped, or waits for what never comes."""
log = Log("projector")


@dataclass(frozen=True, slots=True)
class Made:
    """A step as rows, for the one model it was made for."""

    model: InTwo
    reached: int
    holes: Sequence[Hole]
    rows: Any

    def apply(self, tx: Transaction, name: str, into: Into, after: int, until: int) -> None:
        assert isinstance(into, str), name  # what is made is whole rows
        self.model.write(tx, self.rows, into)


@dataclass(slots=True)
class _Piece:
    """Positions of the log, and its steps as far as they are made. Not frozen: they come one after the other."""

    after: int
    until: int
    steps: deque[Step] = field(default_factory=deque)
    is_whole: bool = False


class MadeAhead:
    """Makes the steps of a part of one model, by a child that runs `make`; is itself used by one thread."""

    def __init__(self, name: str, child: Child) -> None:
        self._model, self._child = _in_two(name), child
        self._is_ready = self._is_over = False
        self._asked: deque[_Piece] = deque()
        """Of the child, which answers in this order; also those that were left since."""
        self._pieces: deque[_Piece] = deque()
        """What is to be written next, without gaps."""

    def steps(self, part: Part, after: int, total: int, pace: Pace) -> Iterator[Step]:
        """Yield the log from a position to another; whatever becomes of the child."""
        while after < total and not self._is_over:
            part.goes_on()
            try:
                step = self._next(part, after, total, pace)
            except (ChildEnded, DatabaseUnavailable, MemoryError) as error:  # the parent goes on alone
                log.warning("rebuild_goes_on_alone", reason=said(error))
                self._is_over = True
            else:
                after = step.reached
                yield step
        yield from part.steps(after, total, pace) if after < total else ()

    def _next(self, part: Part, after: int, total: int, pace: Pace) -> Step:
        if part.aside.in_the_way():
            self._forget()
            return self._made_here(part, after, total, part.most(pace))
        while True:
            while self._child.has_something() and self._made() < MADE_BEFORE:
                self._receive(part)
            self._hand_out(after, total, pace.events)
            if not self._pieces:
                return self._made_here(part, after, total, pace.events)
            if step := self._first():
                return step
            self._go_on(part, total, pace)

    def _first(self) -> Step | None:
        """Take the next step, None if it is not made."""
        piece = self._pieces[0]
        step = piece.steps.popleft() if piece.steps else None
        if piece.is_whole and not piece.steps:
            self._pieces.popleft()
        return step

    def _go_on(self, part: Part, total: int, pace: Pace) -> None:
        """Make a piece that comes later, or wait for the next where enough of them are made."""
        after = self._pieces[-1].until
        if after == total or self._made() >= MADE_BEFORE:
            self._receive(part)
        else:
            step = self._made_here(part, after, total, pace.events)
            self._pieces.append(_Piece(after, step.reached, deque([step]), is_whole=True))

    def _made(self) -> int:
        return sum(len(piece.steps) for piece in self._pieces)

    def _hand_out(self, after: int, total: int, positions: int) -> None:
        while self._is_ready and len(self._asked) < AHEAD:
            after = self._pieces[-1].until if self._pieces else after
            if after == total:
                return
            piece = _Piece(after, min(after + positions, total))
            self._child.send((piece.after, piece.until, PIECE_BYTES))
            self._asked.append(piece)
            self._pieces.append(piece)

    def _receive(self, part: Part) -> None:
        answer = self._child.receive(_patient(part.goes_on))
        if answer is None:
            self._is_ready = True
            return
        reached, found, rows = answer
        piece = self._asked[0]
        piece.steps.append(Made(self._model, reached, [Hole(*each) for each in found], rows))
        if reached == piece.until:
            piece.is_whole = True
            self._asked.popleft()

    def _forget(self) -> None:
        """What is in hand would be written in large steps: leave it, to begin anew where the tables are.

        What the child still makes of it is taken from it, and not kept.
        """
        for piece in self._asked:
            piece.steps = deque(maxlen=0)
        self._pieces.clear()

    def _made_here(self, part: Part, after: int, total: int, events: int) -> Step:
        with part.aside.reading() as tx:
            found = read_log_within(tx, after, events, PIECE_BYTES, total)
        return Made(self._model, found[-1].position if found else total, holes.of(found), self._model.made(found))


def _patient(goes_on: Callable[[], None]) -> Callable[[], None]:
    """Return what is called while the child is waited for. Raises ChildEnded when that has taken too long."""
    deadline = time.monotonic() + SILENT_SECONDS

    def still() -> None:
        goes_on()
        if time.monotonic() > deadline:
            raise ChildEnded(f"the child process has not answered for {SILENT_SECONDS:.0f} s")

    return still


# --- the child's side -------------------------------------------------------------------------------------


def make(parent: Parent, place: Place, name: str) -> None:
    """Say None when it can begin; answer each piece, in parts: the position reached, the holes, and the rows."""
    database, model = place.open(), _in_two(name)
    with seldom_collected():
        parent.send(None)
        while True:
            after, until, most_bytes = parent.receive()
            while after < until:
                with database.reading() as tx:
                    events: list[Recorded] = read_log_within(tx, after, until - after, most_bytes, until)
                after = events[-1].position if events else until
                parent.send((after, [(hole.position, hole.why) for hole in holes.of(events)], model.made(events)))


def _in_two(name: str) -> InTwo:
    model = live.models()[name]
    assert is_in_two(model), name
    return model
