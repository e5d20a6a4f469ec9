"""One address has one key, whether it was typed in, imported, or arrived: what is stored today is found for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import phone_numbers
from shared.channels.email import words
from shared.channels.web_form.parse import email_address
from shared.domain import identity

STORED = [
    ("Anna@Example.COM", "anna@example.com"),
    (" anna@example.com ", "anna@example.com"),
    ("anna+shop@example.com", "anna+shop@example.com"),
    ("first.last@sub.example.org", "first.last@sub.example.org"),
    ("o'brien@example.co.uk", "o'brien@example.co.uk"),
    ("Anna@ПОЧТА.РФ", "anna@почта.рф"),
    ("anna@xn--80a1acny.xn--p1ai", "anna@почта.рф"),
    ("anna@XN--80A1ACNY.XN--P1AI", "anna@почта.рф"),
    ("анна@почта.рф", "анна@почта.рф"),
    ("anna@xn--bcher-kva.example", "anna@bücher.example"),
    ("anna@xn--fa-hia.example", "anna@faß.example"),
    ("jose\u0301@example.com", "josé@example.com"),
]


@pytest.mark.parametrize(("written", "stored"), STORED)
def test_an_email_address_has_the_key_that_is_stored_whichever_way_it_comes(written: str, stored: str) -> None:
    assert words.addresses([f"Anna <{written.strip()}>".encode()], 1) == [("Anna", stored)]
    assert [identity.normal("email", written), identity.given_email(written), email_address(written)] == [stored] * 3


@given(st.sampled_from(STORED).map(lambda pair: pair[0]), st.data())
def test_case_never_makes_another_address(written: str, data: st.DataObject) -> None:
    mixed = "".join(data.draw(st.sampled_from((c.upper(), c.lower()))) if c.isascii() else c for c in written)
    assert identity.given_email(mixed) == identity.given_email(written) == identity.normal("email", mixed)


@pytest.mark.parametrize(
    "text", ["boris", "anna@", "@example.com", ".anna@example.com", "a..b@example.com", "a b@c.de"]
)
def test_what_is_no_email_address_is_none(text: str) -> None:
    assert identity.given_email(text) is None


@pytest.mark.parametrize(
    ("written", "country", "stored"),
    [
        ("8 (916) 123-45-67", "RU", "+79161234567"),
        ("9161234567", "RU", "+79161234567"),
        ("030 123456", "DE", "+4930123456"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("+44 20 7946 0958", "RU", "+442079460958"),
        ("8 727 250 0000", "KZ", "+77272500000"),
        ("044 123 4567", "UA", "+380441234567"),
    ],
)
def test_a_number_is_the_same_in_a_call_a_form_and_a_file(written: str, country: str, stored: str) -> None:
    found = [phone_numbers.e164(written, country), phone_numbers.typed(written, country)]
    assert [*found, phone_numbers.given(written, country)] == [stored] * 3
    assert [phone_numbers.international(stored.removeprefix("+"), country), phone_numbers.given(stored, "")] == [
        stored
    ] * 2
    assert identity.normal("phone", stored) == stored


def test_a_number_without_its_country_is_none_unless_it_begins_with_one() -> None:
    assert [phone_numbers.given(text, "") for text in ("89161234567", "79161234567", "tel:+79161234567", "+1", "")] == [
        None, "+79161234567", "+79161234567", None, None
    ]  # fmt: skip
