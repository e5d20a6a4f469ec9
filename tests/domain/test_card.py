"""Cards: what is decided, what an undone import gives back, what fields may hold."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import card as cards
from shared.domain import card_undo, own_fields
from shared.domain import events as e
from shared.domain.card import Rules, Wanted
from shared.domain.card_values import Rule, WrongValue, as_cell, read, shown
from shared.domain.errors import NoSuchThing, Refused
from tests.examples import ANNA, AT, CUSTOMER

REGISTERED = e.CustomerRegistered(CUSTOMER, "Anna", ANNA)
CARD = cards.fold([REGISTERED])
FIRST, SECOND = UUID(int=1), UUID(int=2)
RULES = Rules({"old": own_fields.OwnField("old", "Old", "text", removed=True)})


def changed(before: str, after: str, import_id: UUID | None = None, **other: Any) -> e.CardChanged:
    values = [(text,) if text else () for text in (before, after)]
    return e.CardChanged(CUSTOMER, (e.FieldChange("segment", *values),), import_id, **other)


# --- changing ---------------------------------------------------------------------------------------------


def test_a_change_keeps_what_was_before() -> None:
    decided = cards.change(CARD, [Wanted("name", "Анна"), Wanted("tags", "a, b")], RULES)
    changes = (e.FieldChange("name", ("Anna",), ("Анна",)), e.FieldChange("tags", (), ("a", "b")))
    assert decided == [e.CardChanged(CUSTOMER, changes)]


def test_nothing_new_is_no_event() -> None:
    assert cards.change(CARD, [Wanted("name", " Anna "), Wanted("segment", "")], RULES) == []


def test_an_overtaken_change_tells_both_values() -> None:
    card = cards.fold([changed("", "B2B")], CARD)
    with pytest.raises(cards.Stale) as refused:
        cards.change(card, [Wanted("segment", "B2C", "")], RULES)
    assert refused.value.fields == (cards.Overtaken("segment", "text", (), ("B2B",), ("B2C",)),)


@pytest.mark.parametrize(
    ("card", "wanted", "error"),
    [
        (cards.EMPTY, [Wanted("name", "x")], NoSuchThing),
        (CARD, [Wanted("colour", "x")], Refused),
        (CARD, [Wanted("own.old", "x")], Refused),
        (CARD, [Wanted("name", "x"), Wanted("name", "y")], Refused),
        (CARD, [Wanted("birthday", "soon")], WrongValue),
    ],
)
def test_what_cannot_be_is_refused(card: cards.Card, wanted: list[Wanted], error: type[Exception]) -> None:
    with pytest.raises(error):
        cards.change(card, wanted, RULES)


# --- consents ---------------------------------------------------------------------------------------------


def test_a_consent_keeps_the_one_before_and_is_not_told_twice() -> None:
    said = cards.Said("email", "given", "Write to me", AT, "form")
    (given_,) = cards.consent(CARD, said)
    assert given_ == e.ConsentGiven(CUSTOMER, "email", "Write to me", AT, "form", None)
    card = cards.fold([given_], CARD)
    assert cards.consent(card, said) == []
    taken_back = cards.Said("email", "withdrawn", "", AT, "by telephone")
    before = e.Consent("given", "Write to me", AT, "form")
    assert cards.consent(card, taken_back) == [e.ConsentWithdrawn(CUSTOMER, "email", "", AT, "by telephone", before)]


@pytest.mark.parametrize(("channel", "how"), [("E-mail", "form"), ("", "form"), ("email", " "), ("email", "x" * 501)])
def test_a_consent_says_for_what_and_how(channel: str, how: str) -> None:
    with pytest.raises(Refused):
        cards.consent(CARD, cards.Said(channel, "given", "", AT, how))


# --- undoing imports --------------------------------------------------------------------------------------


def test_undoing_brings_back_what_was() -> None:
    made = changed("", "B2B", FIRST, row=7)
    card = cards.fold([made], CARD)
    decided, left = card_undo.undo(card, made)
    assert (decided, left) == ([changed("B2B", "", FIRST, row=7, undone=True)], ())
    assert card_undo.undo(cards.fold(decided, card), made) == ([], ())


def test_what_somebody_changed_since_is_left_even_if_they_changed_it_back() -> None:
    made = changed("", "B2B", FIRST)
    card = cards.fold([made, changed("B2B", "x"), changed("x", "B2B")], CARD)
    assert card_undo.undo(card, made) == ([], ("segment",))


def test_imports_over_each_other_are_undone_the_last_one_first() -> None:
    first, second = changed("", "A", FIRST), changed("A", "B", SECOND)
    card = cards.fold([first, second], CARD)
    assert card_undo.undo(card, first) == ([], ("segment",))
    back, _ = card_undo.undo(card, second)
    assert card_undo.undo(cards.fold(back, card), first)[0] == [changed("A", "", FIRST, undone=True)]


def test_undoing_brings_back_that_somebody_had_emptied_a_field() -> None:
    """On the card of a group an emptied field hides what it holds with another member; one never written does not."""
    other = cards.fold([changed("", "theirs")], CARD)
    emptied = cards.fold([changed("", "own"), changed("own", "")], CARD)
    for before, wanted in ((emptied, ()), (CARD, ("theirs",))):
        made = changed("", "B2B", FIRST)
        card = cards.fold([made], before)
        back, _ = card_undo.undo(card, made)
        card = cards.fold(back, card)
        assert card.fields == before.fields
        assert cards.together([card, other], {}).values("segment") == wanted


@given(st.lists(st.tuples(st.sampled_from(["edit", "import", "undo"]), st.integers(0, 2)), max_size=12))
def test_an_undone_import_never_touches_what_a_person_wrote(steps: list[tuple[str, int]]) -> None:
    """A model of the rule: the last to write a field owns it; undoing gives it back to who had it before."""
    card, stack, made = CARD, [("person", "")], {}
    for number, (what, which) in enumerate(steps):
        holds, text = "".join(card.values("segment")), f"v{number}"
        import_id = UUID(int=10 + number)
        if what == "edit":
            card, stack = cards.fold([changed(holds, text)], card), [("person", text)]
        elif what == "import":
            made[import_id] = changed(holds, text, import_id)
            card = cards.fold([made[import_id]], card)
            stack.append((str(import_id), text))
        elif made:
            event = list(made.values())[which % len(made)]
            card = cards.fold(card_undo.undo(card, event)[0], card)
            if stack[-1][0] == str(event.import_id):
                stack.pop()
        assert "".join(card.values("segment")) == stack[-1][1]


# --- values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "given_", "values"),
    [
        ("text", "  a \n b ", ("a b",)),
        ("text", None, ()),
        ("text", "e\u0301", ("\u00e9",)),
        ("long_text", " a\r\nb ", ("a\nb",)),
        ("tags", "vip, опт;vip\n", ("vip", "опт")),
        ("tags", ["a", "b"], ("a", "b")),
        ("lines", "Moscow, 1; 2\nTver", ("Moscow, 1; 2", "Tver")),
        ("number", "1\u00a0234,50", ("1234.5",)),
        ("number", "1.234,50", ("1234.5",)),
        ("number", "1,234.50", ("1234.5",)),
        ("number", -0.0, ("0",)),
        ("number", 12, ("12",)),
        ("number", 1e-7, ("0.0000001",)),
        ("number", "007", ("7",)),
        ("number", "100", ("100",)),
        ("date", "1.2.2030", ("2030-02-01",)),
        ("date", "2030-02-01", ("2030-02-01",)),
        ("birthday", "29.02", ("--02-29",)),
        ("birthday", "--0229", ("--02-29",)),
        ("birthday", "--02-29", ("--02-29",)),
        ("yes_no", "Да", ("yes",)),
        ("yes_no", False, ("no",)),
        ("choice", "m", ("M",)),
        ("language", "EN_gb", ("en-GB",)),
        ("language", "zh-hant", ("zh-Hant",)),
        ("time_zone", "europe/moscow", ("Europe/Moscow",)),
        ("operator", "OLGA@okno.example", ("7",)),
    ],
)  # fmt: skip
def test_a_value_is_written_one_way(type_: str, given_: object, values: e.Values) -> None:
    rule = Rule(type_, ("S", "M"), {"olga@okno.example": "7", "7": "7"})
    assert read("f", rule, given_) == values
    assert read("f", rule, shown(type_, values)) == values
    assert read("f", rule, as_cell(type_, values)) == values


@pytest.mark.parametrize(
    ("type_", "given_"),
    [
        ("text", ["a"]), ("text", "\x00"), ("text", "\ud800"), ("tags", "x" * 61),
        ("tags", [f"{n}" for n in range(51)]),
        ("number", "12a"), ("number", "1e5"), ("number", "NaN"), ("number", float("inf")), ("number", True),
        ("number", "1" * 16), ("number", "٣"), ("number", "1,2,3"), ("date", "12/31/1990"), ("date", "2030-02-30"),
        ("date", "--02-01"), ("birthday", "31.02"), ("birthday", "1990"), ("yes_no", "maybe"), ("choice", "XL"),
        ("language", "russian language"), ("time_zone", "+03:00"), ("operator", "x@y"),
    ],
)  # fmt: skip
def test_what_is_no_value_of_its_type_is_refused(type_: str, given_: object) -> None:
    with pytest.raises(WrongValue):
        read("f", Rule(type_, ("S", "M")), given_)


# --- own fields -------------------------------------------------------------------------------------------


def test_a_field_keeps_its_type_and_may_come_back() -> None:
    size = e.OwnFieldDefined("size", "Size", "choice", ("S", "M"))
    fields = own_fields.fold([size])
    assert own_fields.define(fields, size) == []
    assert own_fields.define({}, e.OwnFieldDefined("size", " Size ", "choice", ("S", "M", "S "))) == [size]
    with pytest.raises(Refused):
        own_fields.define(fields, e.OwnFieldDefined("size", "Size", "text"))
    assert own_fields.remove(fields, "size") == [e.OwnFieldRemoved("size")]
    gone = own_fields.fold([size, e.OwnFieldRemoved("size")])
    assert own_fields.remove(gone, "size") == []
    assert own_fields.define(gone, size) == [size]


@pytest.mark.parametrize(
    "wanted",
    [
        e.OwnFieldDefined("Size", "Size", "text"),
        e.OwnFieldDefined("a" * 41, "Size", "text"),
        e.OwnFieldDefined("size", " ", "text"),
        e.OwnFieldDefined("size", "x" * 81, "text"),
        e.OwnFieldDefined("size", "Size", "colour"),  # type: ignore[arg-type]
        e.OwnFieldDefined("size", "Size", "choice"),
        e.OwnFieldDefined("size", "Size", "choice", ("s", "S")),
        e.OwnFieldDefined("size", "Size", "text", ("S",)),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(wanted: e.OwnFieldDefined) -> None:
    with pytest.raises(Refused):
        own_fields.define({}, wanted)
