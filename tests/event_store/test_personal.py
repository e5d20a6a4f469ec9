"""Every field of every event is plain or personal by decision, and what is personal is sealed."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import events as e
from shared.event_store import mapper
from shared.event_store.mapper import (
    About,
    ChangedEvent,
    Envelope,
    Happening,
    from_state,
    key_of,
    keys_of,
    plain_part,
    to_sealed_state,
)
from shared.event_store.personal import CLASSES, hints, is_plain_type
from shared.keys.ring import KeyRing
from tests.examples import ANNA, AT, MAILBOX, OLGA, every_event

EVENTS = typing.get_args(e.Event)
PERSONAL = (
    "Анна", "anna@example.com", "+491511", "Привет", "раньше", "счёт.pdf", "cid-", "<a@b>", "<c@d>", "chat-1",
    "ab" * 32,
    "cd" * 32, "ef" * 32, "ask the boss", "after lunch", "no headers", "INBOX", "голос", "Hello *Anna*", "blocked",
)  # fmt: skip


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[KeyRing]:
    database: Database = open_database(f"sqlite:///{tmp_path / 'keys.db'}")
    made = KeyRing(database, b"s" * 32)
    made.create_tables()
    yield made
    made._maker.shutdown()
    for connection in database._opened:  # type: ignore[attr-defined]
        connection.close()


def sealed(ring: KeyRing, event: e.Event, actor: e.Actor = OLGA) -> bytes:
    envelope = Envelope(About(AT, actor, UUID(int=1)), AT)
    return to_sealed_state(event, envelope, lambda: ring.to_seal(uuid4(), MAILBOX, AT), ring.pseudonym, MAILBOX)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_field_is_classified(event: type) -> None:
    classes = CLASSES[event]
    named = [*classes.plain.split(), *classes.personal.split(), *classes.left]
    undecided = [each.name for each in fields(event) if not is_plain_type(hints(event)[each.name])]
    assert sorted(named) == sorted(undecided)


@pytest.mark.parametrize("event", every_event(), ids=lambda event: type(event).__name__)
def test_an_event_is_read_as_it_was_sealed(ring: KeyRing, event: e.Event) -> None:
    actor = e.Actor("customer", "email:anna@example.com", "Анна")
    state = sealed(ring, event, actor)
    recorded = from_state(7, UUID(int=2), 3, type(event).__name__, state, openers=ring.to_open(keys_of([state])))
    assert (recorded.event, recorded.actor, recorded.occurred_at, recorded.erased) == (event, actor, AT, False)


@pytest.mark.parametrize("event", every_event(), ids=lambda event: type(event).__name__)
def test_without_its_key_an_event_keeps_its_ids_times_and_numbers_only(ring: KeyRing, event: e.Event) -> None:
    state = sealed(ring, event, e.Actor("customer", "email:anna@example.com", "Анна"))
    assert [text for text in PERSONAL if text in plain_part(state).decode() or text.encode() in state] == []
    gone = from_state(7, UUID(int=2), 3, type(event).__name__, state, openers={key_of(state) or b"": None})
    assert (gone.erased, gone.actor, gone.cause) == (True, e.Actor("customer"), UUID(int=1))
    plain = [each.name for each in fields(event) if is_plain_type(hints(type(event))[each.name])]
    assert [getattr(gone.event, name) for name in plain] == [getattr(event, name) for name in plain]


def test_an_event_with_nothing_personal_takes_no_key(ring: KeyRing) -> None:
    state = sealed(ring, e.ConversationClosed(UUID(int=1), UUID(int=2)))
    assert (key_of(state), state[:1]) == (None, b"{")


def test_what_was_stored_plain_is_read_as_before(ring: KeyRing) -> None:
    event = e.NoteAdded(UUID(int=1), UUID(int=2), UUID(int=3), "plain")
    state = mapper.to_state(Happening(event, About(AT, OLGA)), AT)
    assert from_state(1, UUID(int=1), 1, "NoteAdded", state).event == event


def test_durations_of_a_call_outlive_its_key(ring: KeyRing) -> None:
    call = e.Call("finished", "inbound", "+491511", "+4930", "Olga", 3, 60, "ef" * 32, legs=(e.Leg("leg", "+491511"),))
    event = e.CallProgressed(UUID(int=1), UUID(int=2), UUID(int=3), call)
    state = sealed(ring, event)
    gone = from_state(1, UUID(int=1), 1, "CallProgressed", state, openers={key_of(state) or b"": None}).event
    assert isinstance(gone, e.CallProgressed)
    assert (gone.call.waiting_seconds, gone.call.talking_seconds, gone.call.from_) == (3, 60, "")
    assert [(leg.state, leg.to) for leg in gone.call.legs] == [("ringing", "")]


def test_a_changed_plain_part_is_noticed(ring: KeyRing) -> None:
    state = sealed(ring, e.NoteAdded(UUID(int=1), UUID(int=2), UUID(int=3), "secret"), ANNA_DID)
    changed = state.replace(str(UUID(int=2)).encode(), str(UUID(int=9)).encode())
    with pytest.raises(ChangedEvent, match="position 1"):
        from_state(1, UUID(int=1), 1, "NoteAdded", changed, openers=ring.to_open(keys_of([state])))


ANNA_DID = e.Actor("customer", ANNA.address, ANNA.name)
