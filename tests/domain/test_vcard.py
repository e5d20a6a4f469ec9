"""vCard 4.0 against the rules of RFC 6350, read back by a reader that is written from them."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.vcard import PersonCard, fold, vcard

CARD: dict[str, Any] = {
    "customer_id": "1470b6fe-32a6-592b-ad62-0ba1350d9a53",
    "name": "Анна, Петрова; \\ «мл.»",
    "organisation": "ООО; Ромашка",
    "language": "ru",
    "time_zone": "Europe/Moscow",
    "addresses": ["Москва, ул. Мира, 1; кв. 2"],
    "requisites": "ИНН 7700000000",
    "tags": ["vip", "a,b"],
    "segment": "B2B",
    "operator": None,
    "birthday": "--12-31",
    "notes": "первая\nвторая",
    "own": {"contract_no": "7/1", "paid": True, "nothing": None},
    "changed_at": "2026-11-21T12:00:00.000000Z",
}
IDENTITIES = [
    {"kind": "email", "address": "anna@example.com"},
    {"kind": "phone", "address": "+79991234567"},
    {"kind": "phone", "address": "101"},
    {"kind": "telegram", "address": "4711"},
]


def lines_of(card: str) -> list[str]:
    """Unfold (section 3.2)."""
    assert card.endswith("\r\n")
    assert "\n" not in card.replace("\r\n", "")
    return card.removesuffix("\r\n").replace("\r\n ", "").split("\r\n")


def unescaped(value: str) -> str:
    """Section 3.4."""
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)


def test_a_card_has_every_property_in_its_own_form() -> None:
    assert lines_of(vcard(PersonCard(CARD, IDENTITIES, {"contract_no": 'Договор "№"'}))) == [
        "BEGIN:VCARD",
        "VERSION:4.0",
        "PRODID:-//Okno//Okno//EN",
        "UID:urn:uuid:1470b6fe-32a6-592b-ad62-0ba1350d9a53",
        r"FN:Анна\, Петрова; \\ «мл.»",
        "EMAIL:anna@example.com",
        "TEL;VALUE=uri:tel:+79991234567",
        "TEL;VALUE=uri:tel:101",
        "IMPP:telegram:4711",
        r"ADR:;;Москва\, ул. Мира\, 1\; кв. 2;;;;",
        r"ORG:ООО\; Ромашка",
        "LANG:ru",
        "TZ:Europe/Moscow",
        "BDAY:--1231",
        r"CATEGORIES:vip,a\,b",
        r"NOTE:первая\nвторая\n\nИНН 7700000000",
        "X-OKNO-CONTRACT-NO;X-LABEL=\"Договор ^'№^'\":7/1",
        'X-OKNO-PAID;X-LABEL="paid":yes',
        "REV:20261121T120000Z",
        "END:VCARD",
    ]


def test_a_customer_without_a_name_is_called_by_their_address() -> None:
    assert "FN:anna@example.com" in lines_of(vcard(PersonCard({**CARD, "name": None}, IDENTITIES)))
    assert f"FN:{CARD['customer_id']}" in lines_of(vcard(PersonCard({**CARD, "name": None}, [])))


@given(st.text(max_size=300))
def test_whatever_a_note_says_it_reads_back_and_no_line_is_too_long_or_ends_within_a_character(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    card = vcard(PersonCard({**CARD, "notes": text, "requisites": None}, []))
    for line in card.encode().split(b"\r\n"):
        assert len(line) <= 75
        line.decode()
    note = next((line for line in lines_of(card) if line.startswith("NOTE:")), "NOTE:")
    readable = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text.replace("\r\n", "\n").replace("\r", "\n"))
    assert unescaped(note.removeprefix("NOTE:")) == readable


def test_a_line_of_exactly_75_octets_is_not_folded() -> None:
    assert fold("x" * 75) == "x" * 75
    assert fold("x" * 76) == "x" * 75 + "\r\n x"
    assert [len(piece) for piece in fold("x" * 200).split("\r\n")] == [75, 75, 52]
    assert fold("x" * 74 + "я") == "x" * 74 + "\r\n я"
