"""Takes rows of a file into the log, and takes them back: each batch is one transaction with how far the import is.

So it can stop at any moment and go on; and whoever undoes it is never overtaken by rows that come later.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain import card as cards
from shared.domain import card_undo, imports
from shared.domain import events as e
from shared.domain.imports import Judged, Line
from shared.event_store.cards import append, cards_of, group_cards_of
from shared.event_store.groups import roots_of
from shared.event_store.log import read_some
from shared.event_store.log_streams import read_stream, read_streams
from shared.event_store.mapper import About, EventUnreadable
from shared.event_store.routing import Wanted, look_up
from shared.event_store.session import Session
from shared.event_store.streams import past_of

UNDO_BATCH = 200
_MADE = ("CustomerRegistered", "CardChanged", "CustomerRestored")
_BROUGHT = (e.CustomerRegistered, e.CustomerRestored)
Contact = Callable[[Transaction, Sequence[UUID]], set[UUID]]
"""Which of some customers there was contact with."""
Found = list[tuple[Judged, tuple[int, cards.Card]]]
"""Rows with the versions and cards of their customers."""


class Claims:
    """Who an import's rows are about, on disk rather than in memory: the first row that says so has them."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("CREATE TABLE claims (key TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID")

    def first(self, keys: Iterable[str], row: int) -> int | None:
        """Claim keys for a row; return an earlier row that has one of them. The same row may ask again."""
        earlier: list[int] = []
        for key in keys:
            self._connection.execute("INSERT OR IGNORE INTO claims VALUES (?, ?)", (key, row))
            (claimed,) = self._connection.execute("SELECT row FROM claims WHERE key = ?", (key,)).fetchone()
            earlier += [claimed] if claimed != row else []
        return min(earlier, default=None)

    def close(self) -> None:
        self._connection.close()


def judge_lines(session: Session, tx: Transaction, lines: Sequence[Line], claims: Claims) -> list[Judged]:
    """Return what rows would lead to; nothing is decided."""
    return [judged for judged, _ in _judge(session, tx, lines, claims)]


def take_lines(
    session: Session, tx: Transaction, import_id: UUID, lines: Sequence[Line], claims: Claims, about: About
) -> list[Judged]:
    """Decide rows and that the import is as far as they go. Rows that were taken in before are left out.

    Raises Refused when the import was undone.
    """
    version, known = import_of(tx, import_id)
    found = _judge(session, tx, lines, claims)
    by_number = {line.number: line for line in lines}
    taken: list[Judged] = []
    for judged, (stream_version, card) in found:
        if judged.number <= known.row:
            continue
        taken.append(judged)
        if judged.customer_id is not None:
            events = imports.events_of(judged, by_number[judged.number], card, import_id)
            append(session, judged.customer_id, stream_version, events, about)
    append(session, import_id, version, imports.advance(known, import_id, lines[-1].number, taken), about)
    return taken


def _judge(session: Session, tx: Transaction, lines: Sequence[Line], claims: Claims) -> Found:
    """Raises EventUnreadable with the rows of whose customers something cannot be read."""
    try:
        return _judge_together(session, tx, lines, claims)
    except EventUnreadable as error:
        rows = ", ".join(str(line.number) for line in lines if not _can_be_judged(session, tx, line))
        way_on = "without the rows of that customer the file can be imported again, what was taken in stays as it is"
        raise EventUnreadable(f"row {rows}: {error}; {way_on}") from error


def _can_be_judged(session: Session, tx: Transaction, line: Line) -> bool:
    with closing(Claims()) as none:
        try:
            _judge_together(session, tx, [line], none)
        except EventUnreadable:
            return False
    return True


def _judge_together(session: Session, tx: Transaction, lines: Sequence[Line], claims: Claims) -> Found:
    owners = look_up(tx, Wanted((), [key for line in lines for key in line.keys], (), ())).addresses
    named = [line.customer_id for line in lines if line.customer_id is not None]
    stands_for = roots_of(session, tx, [*owners.values(), *named])
    owners = {key: stands_for[id_] for key, id_ in owners.items()}
    lines = [replace(each, customer_id=stands_for[each.customer_id]) if each.customer_id else each for each in lines]
    ids = [id_ for line in lines for id_ in imports.candidates(line, owners, session.new_customer_id)]
    known = cards_of(session, tx, list(dict.fromkeys(ids)))
    as_cards = {id_: versioned.card for id_, versioned in known.items()}
    seen = as_cards | group_cards_of(session, tx, list(stands_for.values()))
    found: Found = []
    for line in lines:
        keys = [] if line.wrong else [*(f"{k}:{a}" for k, a in line.keys), *_whose(line, owners)]
        judged = imports.judge(line, owners, as_cards, claims.first(keys, line.number), seen, session.new_customer_id)
        versioned = known[judged.customer_id] if judged.customer_id else None
        found.append((judged, (versioned.version, versioned.card) if versioned else (0, cards.EMPTY)))
    return found


def _whose(line: Line, owners: dict[imports.Key, UUID]) -> list[str]:
    ids = {owners[key] for key in line.keys if key in owners} | ({line.customer_id} if line.customer_id else set())
    return [str(id_) for id_ in sorted(ids)]


def import_of(tx: Transaction, import_id: UUID) -> tuple[int, imports.Import]:
    """Return the version of an import's stream and how it stands."""
    past = read_stream(tx, import_id)
    return len(past), imports.fold(recorded.event for recorded in past)


def start(session: Session, tx: Transaction, wanted: e.ImportStarted, about: About) -> None:
    """Begin an import, or go on with it. Raises Refused."""
    past_of(tx, wanted.import_id, e.ImportEvent, creates=True)
    version, known = import_of(tx, wanted.import_id)
    append(session, wanted.import_id, version, imports.start(known, wanted), about)


def finish(session: Session, tx: Transaction, import_id: UUID, about: About) -> None:
    version, known = import_of(tx, import_id)
    append(session, import_id, version, imports.finish(known, import_id), about)


# --- undoing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """A row that could not be taken back as a whole: fields that were changed since, or a customer who is needed.

    Which row brought a customer is known only where it also said something of them.
    """

    row: int | None
    customer_id: UUID
    fields: tuple[str, ...]
    why: Literal["changed", "contact"]


@dataclass(frozen=True, slots=True)
class Undone:
    """What one batch of undoing did."""

    restored: int
    retired: int
    left: tuple[Left, ...]


def start_undo(session: Session, tx: Transaction, import_id: UUID, about: About) -> None:
    """Let no further row be taken in. Raises NoSuchThing."""
    version, known = import_of(tx, import_id)
    append(session, import_id, version, imports.undo(known, import_id), about)


def span(tx: Transaction, import_id: UUID) -> tuple[int, int]:
    """Return the positions between which an import that is being undone lies."""
    events = read_streams(tx, [import_id])
    return events[0].position, next(r.position for r in events if isinstance(r.event, e.ImportUndoStarted))


def made_by(tx: Transaction, import_id: UUID, after: int, until: int) -> tuple[int, list[e.Recorded]]:
    """Return the next events of an import after a position, and the position up to which they are all."""
    reached, events = read_some(tx, after, UNDO_BATCH, _MADE)
    return reached, [r for r in events if r.cause == import_id and r.position < until and not _is_undoing(r.event)]


def _is_undoing(event: e.Event) -> bool:
    return isinstance(event, e.CardChanged) and event.undone


def take_back(
    session: Session, tx: Transaction, import_id: UUID, made: Sequence[e.Recorded], has_contact: Contact, about: About
) -> Undone:
    """Decide what takes some of an import's events back."""
    events = [recorded.event for recorded in made]
    changed = [event for event in events if isinstance(event, e.CardChanged)]
    brought = [event.customer_id for event in events if isinstance(event, _BROUGHT)]
    left: list[Left] = []
    restored = 0
    known = cards_of(session, tx, [event.customer_id for event in changed])
    replaced = (card_undo.wrote_before(known[event.customer_id].card, event) for event in changed)
    gone = _undone(tx, set().union(*replaced))
    for event in changed:
        versioned = known[event.customer_id]
        decided, fields = card_undo.undo(versioned.card, event, gone)
        append(session, event.customer_id, versioned.version, decided, about)
        restored += bool(decided)
        left += [Left(event.row, event.customer_id, fields, "changed")] if fields else []
    retired, kept = _retire(session, tx, import_id, brought, has_contact, about)
    brought_before = _brought_by_undone(session, tx, import_id, {event.customer_id for event in changed} - {*brought})
    retired += _retire(session, tx, import_id, brought_before, has_contact, about)[0]
    rows = {event.customer_id: event.row for event in changed}
    left += [Left(rows.get(id_), id_, (), "contact") for id_ in kept if id_ not in {each.customer_id for each in left}]
    return Undone(restored, retired, tuple(left))


def _undone(tx: Transaction, import_ids: Iterable[UUID]) -> set[UUID]:
    return {id_ for id_ in import_ids if import_of(tx, id_)[1].state in ("undoing", "undone")}


def _brought_by_undone(session: Session, tx: Transaction, import_id: UUID, customer_ids: Iterable[UUID]) -> list[UUID]:
    """Return those whom an import that is undone by now had brought, and of whom nothing is known any more."""
    known = cards_of(session, tx, sorted(customer_ids))
    bare = [id_ for id_, versioned in known.items() if imports.can_retire(versioned.card, import_id)]
    by = {r.stream_id: r.cause for r in read_streams(tx, bare) if isinstance(r.event, _BROUGHT)}
    gone = _undone(tx, {cause for cause in by.values() if cause is not None})
    return [id_ for id_, cause in by.items() if cause in gone]


def _retire(
    session: Session, tx: Transaction, import_id: UUID, brought: Sequence[UUID], has_contact: Contact, about: About
) -> tuple[int, list[UUID]]:
    """Hide those whom the import brought; return how many, and who stays since there was contact or somebody's word."""
    known, met = cards_of(session, tx, brought), has_contact(tx, brought)
    retired, kept = 0, []
    for id_, versioned in known.items():
        if id_ in met or not imports.can_retire(versioned.card, import_id):
            kept += [] if versioned.card.retired or versioned.card.erased else [id_]
            continue
        append(session, id_, versioned.version, [e.CustomerRetired(id_, import_id)], about)
        retired += 1
    return retired, kept


def end_undo(session: Session, tx: Transaction, undone: e.ImportUndone, about: About) -> None:
    """Say that an import is undone; once."""
    version, known = import_of(tx, undone.import_id)
    append(session, undone.import_id, version, [undone] if known.state == "undoing" else [], about)
