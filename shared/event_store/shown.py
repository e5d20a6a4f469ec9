"""How an event is shown to other programs: by the API, in exports and to partners; one shape for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from shared.clock import from_text, to_text
from shared.database.protocol import Transaction
from shared.domain.events import Actor, Event, Recorded
from shared.event_store.copied import copying
from shared.event_store.log_rows import Stored, openers_found, openers_of, told_time
from shared.event_store.mapper import TYPES, Decoders, EventUnreadable, Openers, decoded
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


AT_ONCE = 100
"""Events that are taken from the log's bytes to bytes for others together: so few stay in the processor's cache."""
_encoder = msgspec.json.Encoder()
_SECONDS, _MICROSECONDS = len("2026-11-21T22:27:43Z"), len("2026-11-21T22:27:43.000000Z")


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


def stored_lines(
    tx: Transaction,
    stored: Sequence[Stored],
    is_wanted: Callable[[datetime], bool] | None = None,
    left_out: list[str] | None = None,
) -> tuple[int, bytes]:
    """Return what was read undecoded as `json_lines` would, without making the events: that takes thrice as long.

    `is_wanted` by the time of recording, None: all are; returned is also how many they are. `left_out` takes in words
    what cannot be read, None: that raises EventUnreadable.
    """
    count, pieces = 0, list[bytes]()
    for lines in stored_shown(tx, stored, is_wanted, left_out):
        count += len(lines)
        pieces.append(_encoder.encode_lines(lines))
    return count, b"".join(pieces)


def stored_shown(
    tx: Transaction,
    stored: Sequence[Stored],
    is_wanted: Callable[[datetime], bool] | None = None,
    left_out: list[str] | None = None,
) -> Iterator[list[ShownEvent]]:
    """As `stored_lines`, some AT_ONCE: events to be encoded. What is in them may be copies of the recorded JSON."""
    states, of_opened = [each.state for each in stored], copying()
    openers = openers_of(tx, states) if left_out is None else openers_found(tx, states)
    for start in range(0, len(stored), AT_ONCE):
        some = stored[start : start + AT_ONCE]
        try:
            lines = [_shown(each, openers, of_opened) for each in some]
        except EventUnreadable:
            if left_out is None:
                raise
            lines = list(_what_can_be_shown(some, openers, of_opened, is_wanted, left_out))
        yield [each for each in lines if is_wanted(from_text(each.recorded_at))] if is_wanted else lines


def _what_can_be_shown(
    stored: Sequence[Stored],
    openers: Openers,
    of_opened: Decoders,
    is_wanted: Callable[[datetime], bool] | None,
    left_out: list[str],
) -> Iterator[ShownEvent]:
    for each in stored:
        try:
            yield _shown(each, openers, of_opened)
        except EventUnreadable as error:
            at = told_time(each.state)
            if is_wanted is None or at is None or is_wanted(at):
                left_out.append(str(error))


def _shown(stored: Stored, openers: Openers, of_opened: Decoders) -> ShownEvent:
    position, stream_id, version = stored.position, stored.stream_id, stored.version
    name, envelope, erased = decoded(
        position, stream_id, version, stored.type, stored.state, UPCASTS, openers, of_opened
    )
    return ShownEvent(
        position,
        name,
        stream_id,
        version,
        _time_text(envelope.recorded_at),
        _time_text(envelope.occurred_at),
        envelope.cause,
        envelope.actor,
        envelope.event,
        erased or msgspec.UNSET,
    )


def _time_text(at: datetime | str) -> str:
    """A text is as msgspec writes it: without microseconds where there are none."""
    if isinstance(at, datetime):
        return to_text(at)
    if at[-1] == "Z":
        if (length := len(at)) == _MICROSECONDS:
            return at
        if length == _SECONDS:
            return at[:-1] + ".000000Z"
    return to_text(from_text(at))


def stored_names(types: Iterable[str]) -> tuple[str, ...]:
    """Return the names under which events of these types lie in the log, older names too. Raises UnknownType."""
    wanted = set(types)
    if unknown := sorted(wanted - TYPES.keys()):
        raise UnknownType(f"there is no event {unknown[0]!r}; there are {', '.join(sorted(TYPES))}")
    return tuple(sorted(wanted | {old for old, (new, _) in UPCASTS.items() if new in wanted}))
