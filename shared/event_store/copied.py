"""Sealed events as structs of the JSON they were recorded as: texts, ids and times are put in order, never made.

Only for what its key has opened: that is what was recorded, byte for byte, so its values need not be looked at.
"""

from __future__ import annotations

import typing
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache, reduce
from operator import or_
from types import NoneType, UnionType
from typing import Any, Union, cast
from uuid import UUID

import msgspec

from shared.domain.events import Actor
from shared.event_store.mapper import TYPES, Decoders
from shared.event_store.personal import hints
from shared.event_store.shapes import shape_of


@cache
def copying() -> Decoders:
    """Return for each type of event what decodes its envelope; the two times, ids and the actor's are texts."""
    return {name: msgspec.json.Decoder(_envelope_of(event)) for name, event in TYPES.items()}


def _envelope_of(event: type) -> type[Any]:
    around = [("recorded_at", str), ("occurred_at", str), ("cause", str | None), ("actor", shape_of(Actor))]
    return msgspec.defstruct("Envelope", [*around, ("event", _shape_of(event))], gc=False)


@cache
def _shape_of(kind: Any) -> Any:
    """Return the struct of a dataclass's fields; what the JSON lacks has its default."""
    members = [(each.name, _copied(hints(kind)[each.name]), each) for each in fields(kind)]
    return msgspec.defstruct(
        kind.__name__, [(name, its, *_default(each, its)) for name, its, each in members], gc=False
    )


def _copied(kind: Any) -> Any:
    """Return what stands for a type. Numbers and fixed words stay: a table wants them, and they cost nothing."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        return _shape_of(cast("type", kind))
    if kind in (str, datetime):
        return msgspec.Raw
    if kind is UUID:
        return str
    if origin in (Union, UnionType):
        return _copied_union([part if part is NoneType else _copied(part) for part in parts])
    return _copied_tuple([part if part is Ellipsis else _copied(part) for part in parts]) if origin is tuple else kind


def _copied_union(parts: list[Any]) -> Any:
    return msgspec.Raw if msgspec.Raw in parts else reduce(or_, parts)


def _copied_tuple(parts: list[Any]) -> Any:
    """A tuple is copied as a whole, unless something in it may lack what has a default."""
    return msgspec.Raw if {*parts} <= {msgspec.Raw, str, Ellipsis} else tuple.__class_getitem__(tuple(parts))


def _default(each: Any, kind: Any) -> tuple[Any, ...]:
    value = each.default if each.default_factory is MISSING else each.default_factory()
    return () if value is MISSING else (msgspec.json.decode(msgspec.json.encode(value), type=kind),)
