"""What happens to a customer's card, to the definitions of own fields, and by imports. Only ever added to.

A card's events are in the customer's stream, definitions in one of their own, each import has a stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Values = tuple[str, ...]
"""What a field holds, as `card_values` writes it: nothing, one text, or several where the field is a list."""
FieldType = Literal["text", "number", "date", "choice", "yes_no"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a card: what it held and what it holds now. Own fields are named own.KEY."""

    field: str
    before: Values
    after: Values


@dataclass(frozen=True, slots=True)
class CardChanged:
    """Somebody changed some fields at once; `row` is the row of an import's file, `undone` that it was taken back.

    `emptied`: of these the fields that somebody had emptied before the import, unlike those nobody had ever written.
    `without`: imports that were undone earlier, whose values are not brought back either.
    """

    customer_id: UUID
    changes: tuple[FieldChange, ...]
    import_id: UUID | None = None
    row: int = 0
    undone: bool = False
    emptied: tuple[str, ...] = ()
    without: tuple[UUID, ...] = ()

    @property
    def conversation_id(self) -> None:
        """A card belongs to the customer alone; timelines ask every event for its conversation."""
        return None


@dataclass(frozen=True, slots=True)
class Consent:
    """What a customer said to being written to or called: the text they were shown, when, and how they said it."""

    state: Literal["given", "withdrawn"]
    text: str
    at: datetime
    how: str


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """`channel` is a kind of channel, or any other word for a way to reach somebody (sms)."""

    customer_id: UUID
    channel: str
    text: str
    at: datetime
    how: str
    before: Consent | None = None
    conversation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn:
    """Fields as of ConsentGiven; `text` is what they withdrew."""

    customer_id: UUID
    channel: str
    text: str
    at: datetime
    how: str
    before: Consent | None = None
    conversation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class CustomerRetired:
    """An import that had made this customer was undone: hidden from lists until there is contact."""

    customer_id: UUID
    import_id: UUID

    @property
    def conversation_id(self) -> None:
        """A card belongs to the customer alone; timelines ask every event for its conversation."""
        return None


@dataclass(frozen=True, slots=True)
class CustomerRestored:
    """A later import brought a retired customer back."""

    customer_id: UUID
    import_id: UUID

    @property
    def conversation_id(self) -> None:
        """A card belongs to the customer alone; timelines ask every event for its conversation."""
        return None


@dataclass(frozen=True, slots=True)
class OwnFieldDefined:
    """Cards have a further field from now on, or it has another label or choices; its type never changes."""

    key: str
    label: str
    type: FieldType
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnFieldRemoved:
    """Cards show it no more; what they hold stays, and is there again once it is defined again."""

    key: str


@dataclass(frozen=True, slots=True)
class ImportStarted:
    """`columns` are pairs of a column (its heading, or #3) and the field it goes to; the file itself is not kept."""

    import_id: UUID
    file: str
    sha256: str
    columns: tuple[tuple[str, str], ...]
    country: str = ""


@dataclass(frozen=True, slots=True)
class ImportAdvanced:
    """The rows up to `row` are taken in; the counts are of these rows, not of all."""

    import_id: UUID
    row: int
    new: int
    known: int
    changed: int
    conflict: int
    wrong: int


@dataclass(frozen=True, slots=True)
class ImportFinished:
    import_id: UUID


@dataclass(frozen=True, slots=True)
class ImportUndoStarted:
    """From now on the import takes in no further row."""

    import_id: UUID


@dataclass(frozen=True, slots=True)
class ImportUndone:
    """How many customers got back what they had, were left as somebody had changed them since, or were retired."""

    import_id: UUID
    restored: int
    left: int
    retired: int


CardEvent = CardChanged | ConsentGiven | ConsentWithdrawn | CustomerRetired | CustomerRestored
OwnFieldEvent = OwnFieldDefined | OwnFieldRemoved
ImportEvent = ImportStarted | ImportAdvanced | ImportFinished | ImportUndoStarted | ImportUndone
