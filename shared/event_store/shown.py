"""How an event is shown to other programs: by the API, in exports and to partners; one shape for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec

from shared.clock import to_text
from shared.domain.events import Actor, Event, Recorded
from shared.event_store.mapper import TYPES
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


def stored_names(types: Iterable[str]) -> tuple[str, ...]:
    """Return the names under which events of these types lie in the log, older names too. Raises UnknownType."""
    wanted = set(types)
    if unknown := sorted(wanted - TYPES.keys()):
        raise UnknownType(f"there is no event {unknown[0]!r}; there are {', '.join(sorted(TYPES))}")
    return tuple(sorted(wanted | {old for old, (new, _) in UPCASTS.items() if new in wanted}))
