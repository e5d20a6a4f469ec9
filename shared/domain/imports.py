"""What an import makes of each row: a new customer, changes of a known one, a conflict, or a row that is wrong.

An address that nobody has makes a customer; one that somebody has finds them; nothing is ever taken from anybody.
An empty cell says nothing, so it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from shared.domain import events as e
from shared.domain.card import Card
from shared.domain.customer import customer_id_for
from shared.domain.errors import NoSuchThing, Refused

EMAIL, PHONE, ID = "email", "phone", "id"
SEVERAL = (EMAIL, PHONE, "tags", "addresses")
"""Fields that several columns may go to."""
Key = tuple[str, str]
NewId = Callable[[e.Address], UUID]
"""Which id a customer of an address gets."""
State = Literal["new", "known", "conflict", "wrong"]


@dataclass(frozen=True, slots=True)
class Column:
    """Which cell of a row goes to which field; `name` is what people call the column."""

    index: int
    name: str
    field: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be taken in, and at which column that shows."""

    column: str
    why: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it was read: whom it is about, what it says of them, and what of it cannot be understood."""

    number: int
    customer_id: UUID | None = None
    addresses: tuple[e.Address, ...] = ()
    values: Mapping[str, e.Values] = field(default_factory=dict)
    wrong: tuple[Problem, ...] = ()

    @property
    def keys(self) -> list[Key]:
        return [(address.kind, address.address) for address in self.addresses]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a row leads to. `not_added`: addresses of a known customer that nobody has; an import adds none to them."""

    number: int
    state: State
    customer_id: UUID | None = None
    changes: tuple[e.FieldChange, ...] = ()
    problems: tuple[Problem, ...] = ()
    not_added: tuple[str, ...] = ()


# --- columns ----------------------------------------------------------------------------------------------


def columns_of(headings: Sequence[str], mapping: Sequence[tuple[str, str]], known: Iterable[str]) -> tuple[Column, ...]:
    """Return the columns of pairs (heading or #3, field). `known`: names of all fields there are. Raises Refused."""
    fields = {EMAIL, PHONE, ID, *known}
    columns = tuple(_column(headings, name, wanted, fields) for name, wanted in mapping)
    once = [column.field for column in columns if column.field not in SEVERAL]
    for name, found in (("column", [column.index for column in columns]), ("field", once)):
        if len(set(found)) < len(found):
            raise Refused("wrong_mapping", f"A {name} is named twice")
    if not {EMAIL, PHONE, ID} & {column.field for column in columns}:
        raise Refused("wrong_mapping", "A column must go to email, phone or id: customers are known by these")
    return columns


def _column(headings: Sequence[str], name: str, wanted: str, fields: set[str]) -> Column:
    if wanted not in fields:
        raise Refused("wrong_mapping", f"There is no field {wanted!r}; there are {', '.join(sorted(fields))}")
    if name.startswith("#") and name[1:].isascii() and name[1:].isdigit() and 0 < int(name[1:]) <= len(headings):
        index = int(name[1:]) - 1
        return Column(index, headings[index] or name, wanted)
    found = [index for index, heading in enumerate(headings) if heading.casefold() == name.strip().casefold()]
    if not name.strip() or len(found) != 1:
        several = "several columns are" if found else "no column is"
        raise Refused("wrong_mapping", f"{several} called {name!r}; #3 names the third one")
    return Column(found[0], headings[found[0]], wanted)


# --- rows -------------------------------------------------------------------------------------------------


def judge(
    line: Line,
    owners: Mapping[Key, UUID],
    known: Mapping[UUID, Card],
    same_as: int | None,
    seen: Mapping[UUID, Card],
    new_id: NewId = customer_id_for,
) -> Judged:
    """Return what a row leads to. `known`: the cards of `candidates`; `same_as`: an earlier row about the same one.

    Who are merged are one customer: `owners` and the line name who stands for them, and `seen` has the cards that are
    shown of all in `known`.
    """
    if line.wrong:
        return Judged(line.number, "wrong", problems=line.wrong)
    if line.customer_id is not None and (known[line.customer_id].customer_id is None or known[line.customer_id].erased):
        return Judged(line.number, "wrong", problems=(Problem(ID, f"there is no customer {line.customer_id}"),))
    found = {owners[key]: key[1] for key in line.keys if key in owners}
    if line.customer_id is not None:
        found.setdefault(line.customer_id, str(line.customer_id))
    if same_as is not None:
        return Judged(line.number, "conflict", problems=(Problem("", f"row {same_as} is about the same customer"),))
    if len(found) > 1:
        whose = "; ".join(f"{address} is of {id_}" for id_, address in found.items())
        return Judged(line.number, "conflict", problems=(Problem("", f"several customers: {whose}"),))
    if found:
        customer_id = next(iter(found))
        return _known(line, customer_id, owners, known[customer_id], seen[customer_id])
    return _new(line, known, new_id)


def _known(line: Line, customer_id: UUID, owners: Mapping[Key, UUID], card: Card, seen: Card) -> Judged:
    """What a group shows already changes nothing; what it does not is written on the card of who stands for it."""
    changes = tuple(
        e.FieldChange(name, card.values(name), values)
        for name, values in line.values.items()
        if values not in ((), seen.values(name))
    )
    not_added = tuple(address for kind, address in line.keys if (kind, address) not in owners)
    return Judged(line.number, "new" if card.retired else "known", customer_id, changes, not_added=not_added)


def _new(line: Line, known: Mapping[UUID, Card], new_id: NewId) -> Judged:
    if not line.addresses:
        why = "neither an e-mail address nor a telephone number to know the customer by"
        return Judged(line.number, "wrong", problems=(Problem("", why),))
    customer_id = new_id(line.addresses[0])
    if known[customer_id].customer_id is not None:
        why = f"{line.addresses[0].address} was an address of {customer_id}, and is no more"
        return Judged(line.number, "conflict", problems=(Problem("", why),))
    changes = tuple(e.FieldChange(name, (), values) for name, values in line.values.items() if values)
    return Judged(line.number, "new", customer_id, changes)


def candidates(line: Line, owners: Mapping[Key, UUID], new_id: NewId = customer_id_for) -> list[UUID]:
    """Return everybody whose card `judge` asks for."""
    found = [owners[key] for key in line.keys if key in owners]
    new = [new_id(address) for address in line.addresses[:1]]
    return [*found, *new, *([line.customer_id] if line.customer_id else [])]


def events_of(judged: Judged, line: Line, card: Card, import_id: UUID) -> list[e.CustomerEvent]:
    """Return what happens to the customer of a row. A name is a field like others, so that undoing takes it too."""
    customer_id = judged.customer_id
    if customer_id is None:
        return []
    events: list[e.CustomerEvent] = []
    if card.customer_id is None:
        first, *others = line.addresses
        events = [e.CustomerRegistered(customer_id, "", first)]
        events += [e.IdentityLinked(customer_id, address) for address in others]
    elif card.retired:
        events = [e.CustomerRestored(customer_id, import_id)]
    if judged.changes:
        events.append(e.CardChanged(customer_id, judged.changes, import_id, line.number))
    return events


def counts(judged: Iterable[Judged]) -> dict[str, int]:
    """Return how many rows are of each state, and how many known customers change."""
    found = {"new": 0, "known": 0, "changed": 0, "conflict": 0, "wrong": 0}
    for each in judged:
        found[each.state] += 1
        found["changed"] += each.state == "known" and bool(each.changes)
    return found


# --- the import as a whole --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Import:
    """The state that decisions need; `row` is the last one that was taken in."""

    state: Literal["none", "running", "finished", "undoing", "undone"] = "none"
    started: e.ImportStarted | None = None
    row: int = 0


def fold(events: Iterable[object]) -> Import:
    """Return an import after the events of its stream."""
    found = Import()
    for event in events:
        match event:
            case e.ImportStarted():
                found = Import("running", event)
            case e.ImportAdvanced():
                found = replace(found, row=event.row)
            case e.ImportFinished():
                found = replace(found, state="finished")
            case e.ImportUndoStarted():
                found = replace(found, state="undoing")
            case e.ImportUndone():
                found = replace(found, state="undone")
    return found


def start(known: Import, wanted: e.ImportStarted) -> list[e.ImportStarted]:
    """Return what happens; none when it goes on where it stopped, or is done. Raises Refused."""
    if known.started is None:
        return [wanted]
    _refuse_undone(known)
    if replace(known.started, file=wanted.file) != wanted:
        raise Refused("other_import", "There is an import of this id, of another file or with other columns")
    return []


def advance(known: Import, import_id: UUID, row: int, judged: Sequence[Judged]) -> list[e.ImportAdvanced]:
    """Return what says that rows were taken in. Raises Refused."""
    _refuse_undone(known)
    found = counts(judged)
    return [e.ImportAdvanced(import_id, row, **found)] if row > known.row else []


def finish(known: Import, import_id: UUID) -> list[e.ImportFinished]:
    _refuse_undone(known)
    return [e.ImportFinished(import_id)] if known.state == "running" else []


def undo(known: Import, import_id: UUID) -> list[e.ImportUndoStarted]:
    """Return what happens; none when it is being undone, or is. Raises NoSuchThing."""
    if known.started is None:
        raise NoSuchThing("no_such_import", "There is no such import")
    return [] if known.state in ("undoing", "undone") else [e.ImportUndoStarted(import_id)]


def _refuse_undone(known: Import) -> None:
    if known.state in ("undoing", "undone"):
        raise Refused("import_undone", "This import was undone; import the file anew under another id")


def can_retire(card: Card, import_id: UUID) -> bool:
    """Whether all that is known of a customer is what this import said."""
    if card.erased:
        return False
    ours = all(held.import_id == import_id or not held.values for held in card.fields.values())
    return ours and not card.consents and not card.retired
