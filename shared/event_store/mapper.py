"""Events to stored bytes and back, by type: msgspec JSON of the envelope, the event's class name as the topic."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from shared.domain.events import Actor, Event, Recorded
from shared.event_store.upcasts import UPCASTS, Upcast
from shared.values import dataclass

E = TypeVar("E")

TYPES: dict[str, type[Event]] = {event.__name__: event for event in typing.get_args(Event)}


class UnknownEvent(Exception):
    """The log has an event this version does not know: it was written by a newer one."""


class _State(msgspec.Struct, Generic[E], frozen=True, gc=False):
    recorded_at: datetime
    occurred_at: datetime
    cause: UUID | None
    actor: Actor
    event: E


@dataclass(frozen=True, slots=True)
class About:
    """When something happened, by whom, and what caused it (the inbound item's id)."""

    occurred_at: datetime
    actor: Actor
    cause: UUID | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that is about to be recorded."""

    event: Event
    about: About


_encode = msgspec.json.Encoder().encode
_decoders = {name: msgspec.json.Decoder(_State[event]) for name, event in TYPES.items()}  # type: ignore[valid-type]


def to_state(happening: Happening, recorded_at: datetime) -> bytes:
    """Return the bytes to store."""
    about = happening.about
    return _encode(_State(recorded_at, about.occurred_at, about.cause, about.actor, happening.event))


def from_state(
    position: int, stream_id: UUID, version: int, topic: str, state: bytes, upcasts: Mapping[str, Upcast] = UPCASTS
) -> Recorded:
    """Return the event of stored bytes. Raises UnknownEvent."""
    if topic in upcasts:
        topic, state = _upcast(state, upcasts[topic])
    decoder = _decoders.get(topic)
    if decoder is None:
        raise UnknownEvent(f"event {topic!r} at position {position}: written by a newer version of Okno?")
    stored: _State[Any] = decoder.decode(state)
    return Recorded(
        position,
        stream_id,
        version,
        stored.recorded_at,
        stored.occurred_at,
        stored.cause,
        stored.actor,
        stored.event,
    )


def _upcast(state: bytes, upcast: Upcast) -> tuple[str, bytes]:
    topic, change = upcast
    envelope = msgspec.json.decode(state)
    envelope["event"] = change(envelope["event"])
    return topic, _encode(envelope)
