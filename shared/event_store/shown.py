"""How an event is shown to other programs: by the API, in exports and to partners; one shape for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from shared.clock import to_text
from shared.database.protocol import Transaction
from shared.domain.events import Actor, Event, Recorded
from shared.event_store.log import Stored, openers_of
from shared.event_store.mapper import TYPES, Openers, decoded
from shared.event_store.upcasts import UPCASTS


class ShownEvent(msgspec.Struct, gc=False):
    """An event with its place in the log. Times are RFC 3339 with microseconds, so that they sort as texts."""

    position: int
    type: str
    stream_id: UUID
    version: int
    recorded_at: str
    occurred_at: str
    cause: UUID | None
    actor: Actor
    data: Event
    erased: bool | msgspec.UnsetType = msgspec.UNSET
    """True: the key of its personal fields was destroyed, they are empty."""


class UnknownType(Exception):
    """There is no event of this name; the text names it."""


_encoder = msgspec.json.Encoder()


def shown(recorded: Recorded) -> ShownEvent:
    """Return an event as it is shown."""
    return ShownEvent(
        recorded.position,
        type(recorded.event).__name__,
        recorded.stream_id,
        recorded.version,
        to_text(recorded.recorded_at),
        to_text(recorded.occurred_at),
        recorded.cause,
        recorded.actor,
        recorded.event,
        recorded.erased or msgspec.UNSET,
    )


def json_lines(events: Iterable[Recorded]) -> bytes:
    """Return events as JSON, a line each."""
    return _encoder.encode_lines([shown(recorded) for recorded in events])


def stored_lines(tx: Transaction, stored: Sequence[Stored], is_wanted: Callable[[datetime], bool]) -> tuple[int, bytes]:
    """Return what was read undecoded as `json_lines` would: without making the events, which takes as long again.

    `is_wanted` by the time of recording; returned is also how many they are.
    """
    openers = openers_of(tx, [each.state for each in stored])
    lines = [shown for each in stored if (shown := _shown(each, openers, is_wanted))]
    return len(lines), _encoder.encode_lines(lines)


def _shown(stored: Stored, openers: Openers, is_wanted: Callable[[datetime], bool]) -> ShownEvent | None:
    name, envelope, erased = decoded(
        stored.position, stored.stream_id, stored.version, stored.type, stored.state, openers=openers
    )
    if not is_wanted(envelope.recorded_at):
        return None
    return ShownEvent(
        stored.position,
        name,
        stored.stream_id,
        stored.version,
        to_text(envelope.recorded_at),
        to_text(envelope.occurred_at),
        envelope.cause,
        envelope.actor,
        envelope.event,
        erased or msgspec.UNSET,
    )


def stored_names(types: Iterable[str]) -> tuple[str, ...]:
    """Return the names under which events of these types lie in the log, older names too. Raises UnknownType."""
    wanted = set(types)
    if unknown := sorted(wanted - TYPES.keys()):
        raise UnknownType(f"there is no event {unknown[0]!r}; there are {', '.join(sorted(TYPES))}")
    return tuple(sorted(wanted | {old for old, (new, _) in UPCASTS.items() if new in wanted}))
