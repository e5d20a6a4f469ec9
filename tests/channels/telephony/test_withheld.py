"""Who withholds the number is nobody's number: two of them are never one customer."""

from __future__ import annotations

import pytest

from shared.channels.telephony.parse import parse
from shared.contracts.inbound import Address
from shared.phone_numbers import e164
from tests.channels.telephony.flows import TWILIO, admitted, twilio_webhook

CALL = {"Direction": "inbound", "CallStatus": "ringing", "To": "+74951234567"}


@pytest.mark.parametrize(
    "number",
    [
        "sip:anonymous@anonymous.invalid",
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        "<sip:c8oqz84zk7z@anonymous.invalid:5060;transport=tcp>;tag=9f",
        "sip:Anonymous@pbx.example;user=phone",
        "sip:@pbx.example",
        "sip:0000000@pbx",
        "sip:00000000000@pbx.example:5060;user=phone",
        "0000000@pbx.example",
        "sip:0@pbx.example;tag=a@b",
        "sip:anonymous",
        "tel:anonymous",
        "tel:0000000;phone-context=example.com",
        "SIPS:Restricted;user=phone",
        "Blocked",
        "Скрытый номер",
        "0",
        "+0000000",
        " ",
    ],
)
def test_a_withheld_number_is_none(number: str) -> None:
    assert e164(number, "RU") == ""


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ('"Анна" <sip:+79161234567@pbx.example;user=phone>;tag=9f', "+79161234567"),
        ("<tel:+7-916-123-45-67>", "+79161234567"),
        ("<89161234567>", "+79161234567"),
        ('"Anna" <sip:anna@pbx.example>', "sip:anna@pbx.example"),
        ("sip:unknown.person@pbx.example", "sip:unknown.person@pbx.example"),
        ("anna@pbx.example", "anna@pbx.example"),
        ("sip:00791@pbx.example", "sip:00791@pbx.example"),
        ("sip:pbx.example;user=phone", "sip:pbx.example;user=phone"),
        ("<<>", "<<>"),
    ],
)
def test_a_sip_address_is_read_without_the_name_before_it(number: str, expected: str) -> None:
    assert e164(number, "RU") == expected


@pytest.mark.parametrize("spelled", ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"])
def test_what_twilio_spells_on_a_keypad_is_a_withheld_number(spelled: str) -> None:
    for more in ({}, {"DialCallStatus": "no-answer"}):
        url = f"https://okno.example/in/telephony/1{'?step=dialled' if more else ''}"
        webhook = twilio_webhook({**CALL, **more, "CallSid": "CA1", "From": spelled}, url)
        parsed = parse(admitted(webhook, TWILIO), TWILIO)
        assert parsed.call is not None
        assert (parsed.sender, parsed.call.from_, parsed.awaits_call) == (Address("telephony", "CA1"), "", False)
