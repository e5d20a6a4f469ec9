"""Sealed events are shown by copying what was recorded: the same lines as those of the events themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from shared.database.open import open_database
from shared.domain import events as e
from shared.event_store.copied import copying
from shared.event_store.log_rows import Stored, opened
from shared.event_store.mapper import (
    _PACK,
    SEALED,
    About,
    ChangedEvent,
    Envelope,
    EventUnreadable,
    Happening,
    decoded,
    from_state,
    key_of,
    keys_of,
    to_sealed_state,
    to_state,
)
from shared.event_store.shown import json_lines, stored_lines
from shared.keys.ring import KeyRing
from tests.examples import ANNA, AT, MAILBOX, OLGA, every_event, received

ANNA_DID = e.Actor("customer", ANNA.address, ANNA.name)
ACTORS = (ANNA_DID, OLGA, e.Actor("system"))
ZONE = timezone(timedelta(hours=5, minutes=30))
MOMENTS = (
    AT, AT + timedelta(microseconds=7), AT.astimezone(ZONE), datetime(1, 1, 1, tzinfo=ZONE),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)  # fmt: skip


@dataclass
class Keys:
    """As much of a transaction as opening asks for."""

    keys: Any


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[KeyRing]:
    made = KeyRing(open_database(f"sqlite:///{tmp_path / 'keys.db'}"), b"s" * 32)
    made.create_tables()
    yield made
    made._maker.shutdown()
    for connection in made.database._opened:  # type: ignore[attr-defined]
        connection.close()


def sealed(ring: KeyRing, event: e.Event, actor: e.Actor = ANNA_DID, at: datetime = AT) -> bytes:
    envelope = Envelope(About(at, actor, UUID(int=1)), AT)
    return to_sealed_state(event, envelope, lambda: ring.to_seal(uuid4(), MAILBOX, AT), ring.pseudonym, MAILBOX)


def sealed_json(ring: KeyRing, event: object) -> bytes:
    """As a version of Okno may have written it that knew other fields."""
    about = {"recorded_at": AT, "occurred_at": "2026-11-21T12:00:00.125Z", "cause": None, "actor": {"kind": "system"}}
    beginning = msgspec.json.encode({**about, "event": event})
    key = ring.to_seal(uuid4(), None, AT)
    number, rest = key.seal(b"}}", beginning)
    return _PACK(SEALED, key.id, number, len(beginning)) + beginning + rest


def sparse(event: e.Event) -> e.Event:
    """The same with every field left out that has a default."""
    needed = [each for each in fields(event) if each.default is MISSING and each.default_factory is MISSING]
    return type(event)(*(getattr(event, each.name) for each in needed))


def stored(type_: str, *states: bytes) -> list[Stored]:
    return [Stored(position, UUID(int=position), 3, type_, state) for position, state in enumerate(states, 1)]


def lines_of(ring: KeyRing, events: Sequence[Stored]) -> bytes:
    count, lines = stored_lines(Keys(ring), events)  # type: ignore[arg-type]
    assert count == len(events)
    return lines


def known_lines(ring: KeyRing, events: Sequence[Stored]) -> bytes:
    return json_lines(opened(Keys(ring), events))  # type: ignore[arg-type]


def outcome(way: Any, ring: KeyRing, event: Stored) -> object:
    try:
        return way(ring, [event])
    except EventUnreadable as error:
        return str(error)


@pytest.mark.parametrize("event", every_event(), ids=lambda event: type(event).__name__)
def test_every_event_is_shown_as_it_is(ring: KeyRing, event: e.Event) -> None:
    happenings = [Happening(each, About(AT, actor)) for each in (event, sparse(event)) for actor in ACTORS]
    states = [sealed(ring, each.event, each.about.actor, at) for each in happenings for at in MOMENTS]
    events = stored(type(event).__name__, *states, *(to_state(each, AT) for each in happenings))
    assert lines_of(ring, events) == known_lines(ring, events)
    ring.destroy([key for key in (key_of(state) for state in states[::2]) if key])
    gone = known_lines(ring, events)
    assert b'"erased":true' in gone
    assert lines_of(ring, events) == gone


def test_what_old_events_lack_and_what_newer_ones_have_not_is_as_in_the_event(ring: KeyRing) -> None:
    message = msgspec.to_builtins(received(sender=e.Address("x", "y")))
    message |= {"sender": {"kind": "x", "address": "y"}, "forgotten": [1]}
    message["call"] = {"state": "missed", "direction": "inbound", "from_": "1", "to": "2", "legs": [{"id": "7"}]}
    message["files"] = [{"sha256": "0", "size": 1, "name": "Ы\n\u2028", "media_type": "x/y", "forgotten": 2}]
    del message["claimed"], message["text"]
    message["text"] = '\\ " \x7f 👋'
    events = stored("MessageReceived", sealed_json(ring, message))
    assert b'"content_id":""' in lines_of(ring, events)
    assert lines_of(ring, events) == known_lines(ring, events)


def test_an_old_shape_is_brought_to_todays_before_it_is_shown(ring: KeyRing) -> None:
    note = e.NoteAdded(UUID(int=1), UUID(int=2), UUID(int=3), "x")
    old = msgspec.to_builtins(note)
    old["said"] = old.pop("text")
    upcasts = {"NoteTaken": ("NoteAdded", lambda it: {**it, "text": it["said"]})}
    state = sealed_json(ring, old)
    given = (1, UUID(int=1), 1, "NoteTaken", state, upcasts, ring.to_open(keys_of([state])))
    name, envelope, erased = decoded(*given, copying())
    assert (name, msgspec.to_builtins(envelope.event), erased) == ("NoteAdded", msgspec.to_builtins(note), False)
    assert from_state(*given).event == note


def test_an_event_under_the_name_of_another_type_is_refused_alike(ring: KeyRing) -> None:
    states = {type(event).__name__: sealed(ring, event) for event in every_event()}
    swapped = [stored(name, state)[0] for name in states for state in states.values()]
    assert [outcome(lines_of, ring, each) for each in swapped] == [outcome(known_lines, ring, each) for each in swapped]


def test_no_changed_byte_of_a_sealed_event_is_shown(ring: KeyRing) -> None:
    state = sealed(ring, e.NoteAdded(UUID(int=1), UUID(int=2), UUID(int=3), "secret"))
    key = 1 + len(key_of(state) or b"")
    for place in range(key, len(state)):
        changed = state[:place] + bytes((state[place] ^ 1,)) + state[place + 1 :]
        with pytest.raises(ChangedEvent, match="position 1"):
            lines_of(ring, stored("NoteAdded", changed))


def test_a_changed_byte_of_a_plain_event_is_refused_as_ever(ring: KeyRing) -> None:
    state = to_state(Happening(e.NoteAdded(UUID(int=1), UUID(int=2), UUID(int=3), "x"), About(AT, OLGA)), AT)
    places = [(place, by) for place in range(1, len(state)) for by in (1, 0x82)]
    changes = [state[:place] + bytes((state[place] ^ by,)) + state[place + 1 :] for place, by in places]
    events = [stored("NoteAdded", changed)[0] for changed in changes]
    assert [outcome(lines_of, ring, each) for each in events] == [outcome(known_lines, ring, each) for each in events]
