"""Cards are the same whatever the batches, and show what the log folds to."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import card as cards
from shared.domain import events as e
from shared.read_models import cards as model
from shared.read_models import live
from shared.read_models.past import tables_of
from tests.examples import ANNA, AT, CUSTOMER, OLGA
from tests.read_models.contents import contents, empty_tables

FIRST = UUID(int=1)
fields = st.sampled_from(["name", "segment", "tags", "own.size"])
values = st.lists(st.sampled_from(["a", "b"]), max_size=1).map(tuple)
steps = st.lists(st.one_of(st.tuples(fields, values), st.sampled_from(["given", "withdrawn", "retire", "restore"])))


def history(taken: list[tuple[str, e.Values] | str]) -> list[e.Recorded]:
    """Return what happens to one customer, as the log has it."""
    happened: list[e.Event] = [e.CustomerRegistered(CUSTOMER, "Anna", ANNA)]
    for step in taken:
        card = cards.fold(happened)
        if isinstance(step, tuple):
            field, after = step
            happened.append(e.CardChanged(CUSTOMER, (e.FieldChange(field, card.values(field), after),)))
        elif step in ("given", "withdrawn"):
            happened += cards.consent(card, cards.Said("email", step, f"text {len(happened)}", AT, "form"))
        else:
            happened.append(
                e.CustomerRetired(CUSTOMER, FIRST) if step == "retire" else e.CustomerRestored(CUSTOMER, FIRST)
            )
    return [e.Recorded(n, CUSTOMER, n, AT, AT, None, OLGA, event) for n, event in enumerate(happened, 1)]


@settings(deadline=None, max_examples=60)
@given(steps, st.integers(1, 5))
def test_batches_of_any_size_give_the_same_cards(taken: list[tuple[str, e.Values] | str], size: int) -> None:
    events = history(taken)
    with empty_tables() as batched:
        for start in range(0, len(events), size):
            for each in live.models().values():
                each.apply(batched, events[start : start + size], "")
        in_batches = contents(batched)
    with tables_of(events) as at_once:
        assert in_batches == contents(at_once)


@settings(deadline=None, max_examples=60)
@given(steps)
def test_a_card_shows_what_its_events_fold_to(taken: list[tuple[str, e.Values] | str]) -> None:
    events = history(taken)
    card = cards.fold(recorded.event for recorded in events)
    with tables_of(events) as past:
        shown = model.card(past, CUSTOMER, {})
        listed = model.page(past, {}, 0, 10)
    assert shown is not None
    assert shown["name"] == next(iter(card.values("name")), None)
    assert (shown["segment"], shown["tags"]) == (next(iter(card.values("segment")), None), list(card.values("tags")))
    assert {channel: said["text"] for channel, said in shown["consents"].items()} == {
        channel: said.text for channel, said in card.consents.items()
    }
    assert (shown["retired"], len(listed)) == (card.retired, int(not card.retired))


def test_a_retired_customer_who_stands_for_another_is_listed() -> None:
    events = history(["retire"])
    other = UUID(int=77)
    merged = e.CustomersMerged(other, CUSTOMER, CUSTOMER, UUID(int=78))
    events.append(replace(events[-1], position=3, stream_id=other, version=2, event=merged))
    with tables_of(events) as past:
        assert len(model.page(past, {}, 0, 10)) == 1
        assert model.count(past) == 1


def test_a_retired_customer_is_listed_again_once_there_is_a_conversation() -> None:
    opened = e.ConversationOpened(FIRST, CUSTOMER, FIRST, "email", "", "first message of a thread")
    events = history(["retire"])
    events.append(replace(events[-1], position=3, stream_id=FIRST, version=1, event=opened))
    with tables_of(events) as past:
        assert len(model.page(past, {}, 0, 10)) == 1
