"""Taking back what an import wrote on a card: never over a later word, and never back to what was undone before."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from uuid import UUID

from shared.domain import events as e
from shared.domain.card import NOTHING, Card, Held, before_import, existing


def undo(card: Card, made: e.CardChanged, undone: Collection[UUID] = ()) -> tuple[list[e.CardChanged], tuple[str, ...]]:
    """Return what takes an import's change back, and the fields that were changed since and stay.

    `undone`: imports that were undone earlier: what they had written does not come back.
    """
    if made.import_id is None or made.import_id in card.undone or card.erased:
        return [], ()
    back: list[e.FieldChange] = []
    emptied: list[str] = []
    left: list[str] = []
    without: dict[UUID, None] = {}
    for each in made.changes:
        held = card.fields.get(each.field, NOTHING)
        if held.import_id == made.import_id:
            was = before_import(held, undone)
            back.append(e.FieldChange(each.field, held.values, each.before if was is held.was else _values(was)))
            emptied += [each.field] if was is not None and not was.values else []
            without |= dict.fromkeys(_imports(held.was, was))
        else:
            left.append(each.field)
    about = (existing(card), tuple(back), made.import_id, made.row)
    event = e.CardChanged(*about, undone=True, emptied=tuple(emptied), without=tuple(without))
    return ([event] if back else []), tuple(left)


def wrote_before(card: Card, made: e.CardChanged) -> set[UUID]:
    """Return the imports whose values an import's change had replaced."""
    held = (card.fields.get(each.field, NOTHING) for each in made.changes)
    return {id_ for each in held if each.import_id == made.import_id for id_ in _imports(each.was, None)}


def _imports(held: Held | None, until: Held | None) -> Iterator[UUID]:
    while held is not None and held is not until:
        if held.import_id is not None:
            yield held.import_id
        held = held.was


def _values(held: Held | None) -> e.Values:
    return held.values if held else ()
