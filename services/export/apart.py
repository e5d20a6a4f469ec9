"""A long export by child processes: each reads, opens and writes out every other piece of the log, in order here.

The parent only joins the pieces: a file is the same, however many have made it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from services.collector import seldom_collected
from services.export.parquet import as_arrow
from services.inbox_api.selection import Selection, times
from shared.apart import Child, Parent, child, cores
from shared.database.protocol import Transaction
from shared.event_store.log import read_stored_window
from shared.event_store.log_rows import Stored
from shared.event_store.shown import stored_lines, stored_shown
from shared.keys.place import Place

APART_EVENTS = 50_000
CHILDREN = 2
AHEAD = 2
"""Pieces that each child may have in hand."""
PIECE = 1000
PIECE_OF_SOME = 5000
"""Positions of a piece; more where only some types are wanted."""
MOST_NAMED = 1000
PIECE_BYTES = 8 * 1024 * 1024
"""What is larger as it is stored is handed over in parts."""


class PieceFile(Protocol):
    """A file that takes what `piece_of` makes; `form` says what that is."""

    form: str

    def add_piece(self, piece: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Written:
    """How many events, how many could not be read, and in words why of the first MOST_NAMED of them."""

    events: int
    left_out: int
    named: Sequence[str]


class Stopped(Exception):
    """The export was cancelled."""


def is_worth_it(wanted: Selection, positions: int) -> bool:
    """Whether children make an export of so many positions faster."""
    return wanted.customer_id is None and positions >= APART_EVENTS and cores() > 1


def write_apart(
    place: Place,
    wanted: Selection,
    bounds: tuple[int, int],
    file: PieceFile,
    progress: Callable[[int, int], None],
    stop: threading.Event,
) -> Written:
    """Raises Stopped, ChildEnded, or what a child raised."""

    def goes_on() -> None:
        if stop.is_set():
            raise Stopped

    first, until = bounds
    size = PIECE_OF_SOME if wanted.names else PIECE
    pieces = [(after, min(after + size, until)) for after in range(first, until, size)]
    with ExitStack() as stack:
        job = f"{__name__}:write_pieces"
        children = [stack.enter_context(child(job, place, wanted, file.form)) for _ in range(CHILDREN)]
        for number, piece in enumerate(pieces[: CHILDREN * AHEAD]):
            children[number % CHILDREN].send(piece)
        written = left_out = 0
        named: list[str] = []
        for number, (_, reached) in enumerate(pieces):
            at_work = children[number % CHILDREN]
            is_whole = False
            while not is_whole:
                count, is_whole, passed_over = at_work.receive(goes_on)
                file.add_piece(at_work.receive(goes_on))
                written, left_out = written + count, left_out + len(passed_over)
                named += passed_over[: MOST_NAMED - len(named)]
            _give_next(at_work, pieces, number + CHILDREN * AHEAD)
            progress(reached - first, until - first)
    return Written(written, left_out, named)


def _give_next(at_work: Child, pieces: Sequence[tuple[int, int]], number: int) -> None:
    if number < len(pieces):
        at_work.send(pieces[number])


# --- the child's side -------------------------------------------------------------------------------------


def write_pieces(parent: Parent, place: Place, wanted: Selection, form: str) -> None:
    """Answer each piece, in parts: the number of events, whether the piece is whole and what was left out; then what
    stands in the file.
    """
    database = place.open()
    with seldom_collected():
        while True:
            after, until = parent.receive()
            while after < until:
                with database.reading() as tx:
                    after, stored = read_stored_window(tx, after, until, PIECE_BYTES, wanted.names)
                    left_out: list[str] | None = [] if wanted.pass_over else None
                    count, data = _part_of(tx, wanted, stored, form, left_out)
                parent.send((count, after == until, left_out or []))  # waits for as long as nobody reads on
                parent.send(data)


def _part_of(
    tx: Transaction, wanted: Selection, stored: Sequence[Stored], form: str, left_out: list[str] | None
) -> tuple[int, bytes]:
    """Return how many of some events are wanted, and what these are in a file."""
    if form == "jsonl":
        return stored_lines(tx, stored, times(wanted), left_out)
    return as_arrow(stored_shown(tx, stored, times(wanted), left_out))
