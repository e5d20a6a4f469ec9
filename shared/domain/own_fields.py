"""Fields of a card that an admin defines. A key keeps its type for ever, so that old values stay what they were."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import get_args
from uuid import UUID

from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.domain.events_card import FieldType

STREAM = UUID("5f0c2f4e-6f6b-4e6f-8a51-6f6b6e6f0002")
"""All definitions are one stream: there are few, and they are read together.

It is `merge.NAMESPACE` too, which no stream of a pair can be: those have ids of version 5, this one is of version 4.
"""
OWN = "own."
LIMIT = 100
LABEL_LIMIT, CHOICE_LIMIT = 80, 100
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class OwnField:
    key: str
    label: str
    type: FieldType
    choices: tuple[str, ...] = ()
    removed: bool = False


Fields = Mapping[str, OwnField]


def define(fields: Fields, wanted: e.OwnFieldDefined) -> list[e.OwnFieldDefined]:
    """Return what happens; none when it stands like this already. Raises Refused."""
    label = " ".join(wanted.label.split())
    choices = tuple(dict.fromkeys(filter(None, (" ".join(choice.split()) for choice in wanted.choices))))
    wanted = replace(wanted, label=label, choices=choices)
    _check(wanted)
    known = fields.get(wanted.key)
    if known is None and len(fields) >= LIMIT:
        raise Refused("too_many_fields", f"There are up to {LIMIT} own fields")
    if known is not None and known.type != wanted.type:
        raise Refused("other_type", f"{wanted.key} is of type {known.type}: choose another key")
    return [] if known == OwnField(wanted.key, label, wanted.type, choices) else [wanted]


def remove(fields: Fields, key: str) -> list[e.OwnFieldRemoved]:
    """Return what happens; none when it is gone already. Raises NoSuchThing."""
    if key not in fields:
        raise NoSuchThing("no_such_field", f"There is no field {key!r}")
    return [] if fields[key].removed else [e.OwnFieldRemoved(key)]


def fold(events: Iterable[object]) -> dict[str, OwnField]:
    """Return every field that ever was, by key, in the order they were defined."""
    fields: dict[str, OwnField] = {}
    for event in events:
        match event:
            case e.OwnFieldDefined():
                fields[event.key] = OwnField(event.key, event.label, event.type, event.choices)
            case e.OwnFieldRemoved():
                fields[event.key] = replace(fields[event.key], removed=True)
    return fields


def _check(wanted: e.OwnFieldDefined) -> None:
    if not _KEY.fullmatch(wanted.key):
        raise Refused("wrong_key", "A key is a letter of a to z, then up to 39 of a to z, 0 to 9 and _")
    if wanted.type not in get_args(FieldType):
        raise Refused("wrong_type", f"A type is one of {', '.join(get_args(FieldType))}")
    if not 0 < len(wanted.label) <= LABEL_LIMIT or not wanted.label.isprintable():
        raise Refused("wrong_label", f"A label has 1 to {LABEL_LIMIT} characters")
    if wanted.type != "choice":
        if wanted.choices:
            raise Refused("wrong_choices", "Only a field of type choice has choices")
    elif not 0 < len({c.casefold() for c in wanted.choices}) == len(wanted.choices) <= CHOICE_LIMIT:
        raise Refused("wrong_choices", f"A choice is one of 1 to {CHOICE_LIMIT}, which differ by more than case")
    elif any(len(choice) > LABEL_LIMIT or not choice.isprintable() for choice in wanted.choices):
        raise Refused("wrong_choices", f"Each has up to {LABEL_LIMIT} characters")
