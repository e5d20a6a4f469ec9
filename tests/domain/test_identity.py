"""One form of an address, strictly: case and punycode do not matter, looking alike does not help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.identity import normal, spellings, without_tag


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("email", "Anna@Example.COM", "anna@example.com"),
        ("email", " anna@example.com. ", "anna@example.com"),
        ("email", "anna@xn--80a1acny.xn--p1ai", "anna@почта.рф"),
        ("email", "anna@XN--80A1ACNY.рф", "anna@ПОЧТА.РФ"),
        ("email", "jose\u0301@example.com", "jos\u00e9@example.com"),
        ("email", "anna@bu\u0308cher.example", "anna@xn--bcher-kva.example"),
        ("phone", "+7 (916) 123-45-67", "+79161234567"),
        ("phone", "+7\u00a0916\u2011123\u201145\u201167", "+79161234567"),
        ("telegram", " 42 ", "42"),
        ("telegram", "-0100500", "-100500"),
    ],
)
def test_spellings_of_one_address_are_one(kind: str, one: str, other: str) -> None:
    assert normal(kind, one) == normal(kind, other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("email", "anna@example.com", "\u0430nna@example.com"),  # a Cyrillic letter
        ("email", "anna@apple.example", "anna@\u0430pple.example"),
        ("email", "anna@example.com", "\uff41nna@example.com"),  # full width: NFKC would fold it
        ("email", "anna@example.com", "ann\u24d0@example.com"),
        ("email", "anna@example.com", "anna@ex\u00adample.com"),  # a soft hyphen nobody sees
        ("email", "anna@example.com", "an\u200bna@example.com"),
        ("email", "anna@example.com", "anna@xn--example-.com"),  # punycode that says nothing but ASCII
        ("email", "strasse@example.com", "straße@example.com"),
        ("email", "anna@fass.example", "anna@faß.example"),  # IDNA 2003 made them one, IDNA 2008 does not
        ("email", "\ufb01sh@example.com", "fish@example.com"),
        ("email", "an.na@example.com", "anna@example.com"),
        ("email", "anna+shop@example.com", "anna@example.com"),
        ("email", "anna@example.com", "anna@example.com.evil.example"),
        ("phone", "+79161234567", "89161234567"),
        ("phone", "+79161234567", "9161234567"),
        ("phone", "+79161234567", "+7916123456"),
        ("phone", "+79161234567", "+\u0667\u0669\u0661\u0666\u0661\u0662\u0663\u0664\u0665\u0666\u0667"),
        ("phone", "101", "+101"),
        ("telegram", "42", "\u0664\u0662"),
        ("telegram", "anna", "Anna"),
        ("telegram", "42", "-42"),
    ],
)
def test_addresses_that_only_look_alike_never_match(kind: str, one: str, other: str) -> None:
    assert normal(kind, one) != normal(kind, other)
    assert not {normal(kind, one)} & set(spellings(kind, other))


@given(st.sampled_from(("email", "phone", "telegram", "web_form")), st.text(max_size=30))
def test_the_one_form_is_its_own(kind: str, text: str) -> None:
    assert normal(kind, normal(kind, text)) == normal(kind, text)


@given(st.text("abcABCЖжüÜßﬁKİ+.-", min_size=1, max_size=8), st.text("abcABCЖжüÜßﬁKİ-", min_size=1, max_size=8))
def test_the_one_form_of_a_mail_address_is_its_own(local: str, label: str) -> None:
    for domain in (label, f"xn--{label.lower().encode('punycode').decode()}"):
        once = normal("email", f"{local}@{domain}.example")
        assert normal("email", once) == once


def test_what_older_versions_stored_is_still_looked_for() -> None:
    assert spellings("email", "Anna@почта.рф") == ("Anna@почта.рф", "anna@почта.рф", "anna@xn--80a1acny.xn--p1ai")
    assert spellings("email", "anna@example.com") == ("anna@example.com",)
    assert spellings("phone", "+7 916 1234567") == ("+7 916 1234567", "+79161234567")


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("anna+shop@example.com", "anna@example.com"),
        ("anna+a+b@example.com", "anna@example.com"),
        ("anna@example.com", None),
        ("+shop@example.com", None),
        ('"a+b"@example.com', None),
        ("anna@a+b.example", None),
    ],
)
def test_the_mailbox_of_a_plus_address(address: str, mailbox: str | None) -> None:
    assert without_tag("email", address) == mailbox
    assert without_tag("phone", address) is None
