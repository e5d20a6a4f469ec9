"""Events to stored bytes and back."""

from __future__ import annotations

import typing
from dataclasses import fields
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import events as e
from shared.event_store.mapper import About, Happening, UnknownEvent, from_state, to_state
from tests.examples import AT, OLGA, every_event, opened, received

LATER = AT + timedelta(seconds=1, microseconds=1)


def test_the_examples_have_every_kind_of_event() -> None:
    assert {type(event) for event in every_event()} == set(typing.get_args(e.Event))


@pytest.mark.parametrize("event", every_event(), ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was_stored(event: e.Event) -> None:
    stream, cause = uuid4(), uuid4()
    state = to_state(Happening(event, About(AT, OLGA, cause)), LATER)
    back = from_state(7, stream, 3, type(event).__name__, state)
    assert back == e.Recorded(7, stream, 3, LATER, AT, cause, OLGA, event)


@pytest.mark.parametrize("event", every_event(), ids=lambda event: type(event).__name__)
def test_the_examples_leave_no_field_at_its_default(event: e.Event) -> None:
    """Otherwise the test above could not see a field that is lost."""
    values = {field.name: (getattr(event, field.name), field.default) for field in fields(event)}
    assert [name for name, (value, default) in values.items() if value == default] == []


@given(text=st.text(), name=st.text(), pairs=st.lists(st.tuples(st.text(), st.text())), at=st.datetimes())
def test_any_text_and_time_come_back(text: str, name: str, pairs: list[tuple[str, str]], at: Any) -> None:
    event = received(text, subject=name, sender=e.Address("x", name, name), fields=tuple(pairs))
    moment = at.replace(tzinfo=AT.tzinfo)
    state = to_state(Happening(event, About(moment, OLGA)), AT)
    back = from_state(1, event.conversation_id, 1, "MessageReceived", state)
    assert (back.event, back.occurred_at, back.cause) == (event, moment, None)


def test_an_old_shape_is_brought_to_todays() -> None:
    event = opened()
    envelope = msgspec.json.decode(to_state(Happening(event, About(AT, OLGA)), LATER))
    envelope["event"]["title"] = envelope["event"].pop("subject")

    def rename(old: dict[str, Any]) -> dict[str, Any]:
        return {**{k: v for k, v in old.items() if k != "title"}, "subject": old["title"]}

    upcasts = {"ThreadOpened": ("ConversationOpened", rename)}
    back = from_state(1, event.conversation_id, 1, "ThreadOpened", msgspec.json.encode(envelope), upcasts)
    assert back == e.Recorded(1, event.conversation_id, 1, LATER, AT, None, OLGA, event)


def test_a_field_that_was_added_later_has_its_default_in_old_events() -> None:
    event = e.NoteAdded(UUID(int=1), UUID(int=2), UUID(int=3), "x")
    message = received(claimed=(e.Address("phone", "1"),))
    envelope = msgspec.json.decode(to_state(Happening(message, About(AT, OLGA)), AT))
    del envelope["event"]["claimed"]
    back = from_state(1, event.conversation_id, 1, "MessageReceived", msgspec.json.encode(envelope)).event
    assert isinstance(back, e.MessageReceived)
    assert back.claimed == ()


def test_an_event_of_a_newer_version_stops_the_reader_with_its_name() -> None:
    with pytest.raises(UnknownEvent, match="'CustomersSwapped' at position 5"):
        from_state(5, uuid4(), 1, "CustomersSwapped", b"{}")
