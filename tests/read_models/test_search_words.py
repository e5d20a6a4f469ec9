"""What is found by what: case, ё, word forms, numbers in any writing, and whatever somebody types."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.read_models.search_results import marked
from shared.read_models.search_words import Query, folded, parse, stems, words


def finds(typed: str, text: str) -> bool:
    """Whether an entry with this text has what is asked for, by the words alone."""
    there, query = stems(text), parse(typed)
    return bool(query.terms) and all(
        any(all(any(wanted.fits(word) for word in there) for wanted in group) for group in term) for term in query.terms
    )


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("договор", "Пришлите договоры, пожалуйста"),
        ("Договорами", "о ДОГОВОРЕ"),
        ("догово", "по договору"),
        ("елка", "Ёлка"),
        ("ёлку", "елки"),
        ("звонившего", "звонил"),
        ("deliver", "the delivery of goods"),
        ("delivered", "when will it be delivering"),
        ("café", "CAFE"),
        ("cafe", "Café"),
        ("й", "и\u0306"),
        ("замок", "за\u0301мок"),
        ("счёт.pdf", "Счет_2026.PDF"),
        ("anna@example.com", "Anna <ANNA@example.com>"),
        ("договор счет", "счет по договору"),
        ("+7 (912) 345-67-89", "89123456789"),
        ("8 912 345 67 89", "звоните: +7(912)345-67-89!"),
        ("9123456789", "+7 912 345-67-89"),
        ("+7 (912)", "8-912-345-67-89"),
        ("8912", "тел. +79123456789"),
        ("7912345", "+7 (912) 345 67 89"),
        ("345", "+7 912 345-67-89"),
        ("+49 151 12345678", "+4915112345678"),
        ("12 3456", "номер 3456 от 12 мая"),
        ("заказ 1234567", "заказ № 1234567"),
        ("1234AB", "part 1234AB"),
        ("A12345-6", "A12345-6"),
        ('"по договору"', "по договору"),
        ("x" * 300, "x" * 300),
    ],
)
def test_it_is_found(typed: str, text: str) -> None:
    assert finds(typed, text)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("договор ", "уговор"),
        ("кот ", "который"),
        ("а", "арбуз"),
        ("договор счет", "счет"),
        ("8 912 345 67 89", "+7 912 345-67-80"),
        ("", "anything"),
        ('"', "anything"),
        ("  ...  ", "anything"),
    ],
)
def test_it_is_not_found(typed: str, text: str) -> None:
    assert not finds(typed, text)


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_is_typed_and_said_is_harmless(typed: str, text: str) -> None:
    query = parse(typed)
    assert all(each.word.isalnum() for each in query.wanted)
    assert all(word.isalnum() for word in stems(text))
    assert "".join(piece["text"] for piece in marked(text, query.wanted)) == text


@given(st.text(min_size=1, max_size=50))
def test_every_text_finds_itself(text: str) -> None:
    assert finds(text, text) == bool(parse(text).terms)


def test_quotes_of_every_kind_ask_for_the_words_as_they_are() -> None:
    wanted = (("по", "договору"),)
    assert [parse(typed).phrases for typed in ('"по договору"', "«По договору»", "“по договору”", '"по договору')] == [
        wanted
    ] * 4
    assert parse('""') == Query()


def test_a_query_and_a_text_have_an_end() -> None:
    assert len(parse(" ".join(f"w{number}" for number in range(200))).terms) == 16
    assert len(stems(" ".join(f"w{number}x" for number in range(9000)))) == 3000


def test_words_are_kept_in_order_with_their_endings() -> None:
    assert words("По Договорам: 5 шт.") == ["по", "договорам", "5", "шт"]


def test_found_words_are_marked_where_they_stand() -> None:
    pieces = marked("Тел. +7 (912) 345-67-89, договоры", parse("8912 договор").wanted)
    assert [(piece["text"], piece["found"]) for piece in pieces] == [
        ("Тел. ", False), ("+7 (912) 345-67-89", True), (", ", False), ("договоры", True),
    ]  # fmt: skip


def test_words_without_end_are_not_kept_in_memory() -> None:
    long = [f"{number}" + "щ" * 500_000 for number in range(20)]
    tracemalloc.start()
    try:
        assert [len(stems(word)) for word in long] == [1] * 20
        assert {len(folded(word)) for word in long} == {64}
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
