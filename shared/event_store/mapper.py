"""Events to stored bytes and back, by type: msgspec JSON of the envelope, the event's class name as the topic.

Personal fields are sealed with the customer's key and stand behind the plain ones; the two together are one JSON.
"""

from __future__ import annotations

import struct
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.domain.events import Actor, Event, Recorded
from shared.event_store.personal import CLASSES, Classes, Pseudonym, Reduce, blank, has_default, hints, personal_fields
from shared.event_store.shapes import shape_of
from shared.event_store.upcasts import UPCASTS, Upcast
from shared.keys.ring import KEY_ID_BYTES, Key, nonce
from shared.values import dataclass

E = TypeVar("E")
Openers = Mapping[bytes, AESGCM | None]
NO_KEYS: Openers = {}
Decoders = Mapping[str, "msgspec.json.Decoder[Any]"]

TYPES: dict[str, type[Event]] = {event.__name__: event for event in typing.get_args(Event)}

SEALED = 1
"""The first byte of a sealed state, then key id, number and length of the plain part (4 bytes each), plain part, sealed
part. A plain state begins with a brace.
"""
_HEADER = struct.Struct(f">B{KEY_ID_BYTES}sII")
_PACK, _UNPACK, _HEAD = _HEADER.pack, _HEADER.unpack_from, _HEADER.size
_UNPACK_TO_OPEN = struct.Struct(f">x{KEY_ID_BYTES}s4sI").unpack_from
_BEFORE_NUMBER = nonce(0)[:-4]
_END = b"}}"
_UNREADABLE = (InvalidTag, msgspec.MsgspecError, struct.error, LookupError, ValueError, TypeError)
"""What reading changed bytes may end with."""


class EventUnreadable(Exception):
    """An event of the log cannot be read; the text says which. What is not about it goes on."""


class UnknownEvent(EventUnreadable):
    """The log has an event this version does not know: it was written by a newer one."""


class ChangedEvent(EventUnreadable):
    """What is stored of an event is not what was recorded: it cannot be read."""


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


class _Beginning(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Of the plain part of a sealed state. `channel_id`: of the key, where the event itself tells none."""

    recorded_at: datetime
    occurred_at: datetime
    cause: UUID | None
    actor: Actor


_encode = msgspec.json.Encoder().encode
_decoders: Decoders = {name: msgspec.json.Decoder(_State[shape_of(event)]) for name, event in TYPES.items()}  # type: ignore[misc]
_values = msgspec.structs.astuple
_CUSTOMER = Actor("customer")


def to_state(happening: Happening, recorded_at: datetime) -> bytes:
    """Return the bytes to store, everything plain."""
    about = happening.about
    return _encode(_State(recorded_at, about.occurred_at, about.cause, about.actor, happening.event))


def has_personal(happening: Happening) -> bool:
    """Return whether anything of it has to be sealed."""
    personal = _split(type(happening.event).__name__).personal(happening.event)
    return bool(personal) or happening.about.actor.kind == "customer"


class Envelope:
    """What is around every event that one message leads to: written once for all of them."""

    __slots__ = ("about", "beginning", "end", "is_customer", "recorded_at")

    def __init__(self, about: About, recorded_at: datetime) -> None:
        actor = about.actor
        self.about, self.recorded_at, self.is_customer = about, recorded_at, actor.kind == "customer"
        shown = _CUSTOMER if self.is_customer else actor
        self.beginning = _encode(_Beginning(recorded_at, about.occurred_at, about.cause, shown))[:-1]
        self.end = b'},"actor":' + _encode(actor) + b"}" if self.is_customer else _END


def to_sealed_state(
    event: Event, envelope: Envelope, key: Callable[[], Key], pseudonym: Pseudonym, channel_id: UUID | None = None
) -> bytes:
    """Return the bytes to store, what is personal sealed; `key`, of a channel, is asked only if anything is."""
    split = _split(type(event).__name__)
    plain, personal = split.plain(event, pseudonym), split.personal(event)
    if not personal and not envelope.is_customer:
        about = envelope.about
        return _encode(_State(envelope.recorded_at, about.occurred_at, about.cause, about.actor, plain))
    named = b"" if split.tells_channel or channel_id is None else b',"channel_id":' + _encode(channel_id)
    beginning = b"".join((envelope.beginning, named, b',"event":', _encode(plain), b"}"))
    sealing = key()
    number, sealed = sealing.seal(b"," + personal + envelope.end if personal else envelope.end, beginning)
    return b"".join((_PACK(SEALED, sealing.id, number, len(beginning)), beginning, sealed))


@cache
def tells_channel(event: type[Any]) -> bool:
    """Return whether events of a type say of which channel they are."""
    return any(each.name == "channel_id" for each in fields(event))


def plain_part(state: bytes) -> bytes:
    """Return the JSON of an envelope without what is sealed."""
    if state[0] != SEALED:
        return state
    return state[_HEAD : _HEAD + _UNPACK(state)[3]]


def key_of(state: bytes) -> bytes | None:
    """Return the id of the key that a state was sealed with, None for a plain one."""
    return state[1 : 1 + KEY_ID_BYTES] if state[0] == SEALED else None


def keys_of(states: Sequence[bytes]) -> Collection[bytes]:
    """Return the ids of the keys that states were sealed with, as far as they can be told."""
    return {state[1 : 1 + KEY_ID_BYTES] for state in states if len(state) > KEY_ID_BYTES and state[0] == SEALED}


def from_state(
    position: int,
    stream_id: UUID,
    version: int,
    topic: str,
    state: bytes,
    upcasts: Mapping[str, Upcast] = UPCASTS,
    openers: Openers = NO_KEYS,
) -> Recorded:
    """Return the event of stored bytes; `openers`: the keys of sealed ones. Raises UnknownEvent, ChangedEvent."""
    name, stored, erased = decoded(position, stream_id, version, topic, state, upcasts, openers)
    return Recorded(
        position,
        stream_id,
        version,
        stored.recorded_at,
        stored.occurred_at,
        stored.cause,
        stored.actor,
        TYPES[name](*_values(stored.event)),
        erased,
    )


def decoded(
    position: int,
    stream_id: UUID,
    version: int,
    topic: str,
    state: bytes,
    upcasts: Mapping[str, Upcast] = UPCASTS,
    openers: Openers = NO_KEYS,
    of_opened: Decoders = _decoders,
) -> tuple[str, Any, bool]:
    """Return the type's name today, the envelope with the event's fields as they are shaped, whether it was erased.

    `of_opened`: for what a key has opened as it was recorded. Raises UnknownEvent, ChangedEvent.
    """
    erased, decoders = False, _decoders
    try:
        if state[0] == SEALED:
            state, erased = _opened(topic, state, openers)
            decoders = _decoders if erased else of_opened
        if topic in upcasts:
            (topic, state), decoders = _upcast(state, upcasts[topic]), _decoders
        if topic in decoders:
            return topic, decoders[topic].decode(state), erased
    except _UNREADABLE as error:
        place = f"at position {position}" if position else f"{version} of stream {stream_id}"
        raise ChangedEvent(
            f"the event {place} ({topic}) cannot be read, its bytes are not those that were recorded:"
            " `okno audit --verify` names what was changed"
        ) from error
    raise UnknownEvent(f"event {topic!r} at position {position}: written by a newer version of Okno?")


def _opened(topic: str, state: bytes, openers: Openers) -> tuple[bytes, bool]:
    """Return the whole envelope, or what is left of it, and whether its key is gone."""
    id_, number, length = _UNPACK_TO_OPEN(state)
    cipher, end = openers[id_], _HEAD + length
    beginning = state[_HEAD:end]
    if cipher is None:
        return beginning[:-2] + _blanks(topic) + _END, True
    return beginning[:-2] + cipher.decrypt(_BEFORE_NUMBER + number, state[end:], beginning), False


def _upcast(state: bytes, upcast: Upcast) -> tuple[str, bytes]:
    topic, change = upcast
    envelope = msgspec.json.decode(state)
    envelope["event"] = change(envelope["event"])
    return topic, _encode(envelope)


# --- the two parts of an event ----------------------------------------------------------------------------


@cache
def _blanks(topic: str) -> bytes:
    """Return what stands for sealed fields that have no default."""
    event = TYPES.get(topic)
    lacking = [each for each in personal_fields(event) if not has_default(each)] if event else []
    return b"".join(
        b"," + _encode(each.name) + b":" + _encode(blank(hints(cast("type", event))[each.name])) for each in lacking
    )


class _Split:
    """Takes the events of one type apart; fields that have their defaults are left out of both parts."""

    def __init__(self, event: type) -> None:
        personal = {each.name for each in personal_fields(event)}
        self.tells_channel = tells_channel(event)
        left: Mapping[str, Reduce] = CLASSES.get(event, Classes()).left
        plain = [each.name for each in fields(event) if each.name not in personal]
        self._plain = _Part(event, plain)
        self._left = [(plain.index(name), reduce) for name, reduce in left.items()]
        sealed = [each.name for each in fields(event) if each.name in personal or each.name in left]
        self._personal = _Part(event, sealed) if sealed else None

    def plain(self, event: Any, pseudonym: Pseudonym) -> Any:
        """Return what is stored plain, reduced where a part of it is personal."""
        if not self._left:
            return self._plain.make(*self._plain.values(event))
        values = list(self._plain.values(event))
        for index, reduce in self._left:
            if values[index]:
                values[index] = reduce(values[index], pseudonym)
        return self._plain.make(*values)

    def personal(self, event: Any) -> bytes:
        """Return the JSON of what is sealed without its braces, empty when there is nothing."""
        return _encode(self._personal.make(*self._personal.values(event)))[1:-1] if self._personal else b""


class _Part:
    """Some fields of an event type, as a type of its own."""

    def __init__(self, event: type, names: Sequence[str]) -> None:
        chosen = {each.name: each for each in fields(event)}
        ordered = sorted(names, key=lambda name: has_default(chosen[name]))
        if list(names) != ordered:
            raise TypeError(f"{event.__name__}: fields without a default come first")
        shape = [(name, Any, *_default(chosen[name])) for name in names]
        self.make: Callable[..., Any] = msgspec.defstruct(f"{event.__name__}Part", shape, omit_defaults=True, gc=False)
        get = attrgetter(*names)
        self.values: Callable[[Any], Sequence[Any]] = get if len(names) > 1 else lambda event: (get(event),)


def _default(each: Any) -> tuple[Any, ...]:
    """Return the default as defstruct takes it: an empty mapping is made anew for each."""
    if each.default is not MISSING:
        return (each.default,)
    return (each.default_factory(),) if each.default_factory is not MISSING else ()


@cache
def _split(name: str) -> _Split:
    return _Split(TYPES[name])
