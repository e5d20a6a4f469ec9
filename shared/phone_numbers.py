"""PURE: telephone numbers as providers, programs and people write them -> E.164, for every channel."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

_WITHHELD = frozenset({
    "", "anonymous", "unknown", "restricted", "unavailable", "private", "withheld", "hidden", "blocked",
    "аноним", "анонимный", "скрыт", "номер скрыт", "скрытый номер", "неизвестен", "неизвестный номер",
})  # fmt: skip
_NAME_ADDR = re.compile(r"[^<>]*<([^<>]*)>[^<>]*")
_ADDRESS = re.compile(r"(?:(?:sips?|tel):)?([^@;]*)(?:;[^@]*)?(?:@([^@:;]*)(?:[:;].*)?)?", re.IGNORECASE)
_NOBODYS_HOST = "anonymous.invalid"
_SIP = re.compile(r"(?:sips?|tel):(\+?\d{7,15})(?:[@;].*)?", re.IGNORECASE)
_BETWEEN_DIGITS = re.compile(r"[\s()\-.\u00a0\u2010-\u2015]")
_RUSSIAN_MOBILE = re.compile(r"(?:\+?7|8)(9\d{9})", re.ASCII)


@lru_cache(maxsize=4096)
def e164(number: str, country: str) -> str:
    """Return a provider's number in E.164; a short, internal or SIP one as it is; empty if the caller withheld it.

    `country` (ISO 3166-1) is that of numbers without one. A SIP address may have a name before it (RFC 3261, 20.10).
    """
    number = number.strip()
    if named := _NAME_ADDR.fullmatch(number):
        number = named[1].strip()
    if _is_withheld(number):
        return ""
    if sip := _SIP.fullmatch(number):
        number = sip[1]
    parsed = _parsed(number, country)
    return _formatted(parsed) if parsed is not None and phonenumbers.is_possible_number(parsed) else number


@lru_cache(maxsize=4096)
def typed(text: str, country: str) -> str:
    """Return the number that a person typed in E.164, empty if it is none."""
    digits = _BETWEEN_DIGITS.sub("", text)
    if country == "RU" and (mobile := _RUSSIAN_MOBILE.fullmatch(digits)):  # without the 40 µs of phonenumbers
        return f"+7{mobile[1]}"
    number = _parsed(text, country)
    return _formatted(number) if number is not None and phonenumbers.is_valid_number(number) else ""


@lru_cache(maxsize=4096)
def given(text: str, country: str) -> str | None:
    """Return the number in a file's cell in E.164; None when it is none, or `country` is needed and empty.

    A number without + that is valid only with one (79991234567 where no country is given) is taken so.
    """
    number = text.strip().removeprefix("tel:")
    if number.startswith("+"):
        parsed = _parsed(number, "")
        return _formatted(parsed) if parsed is not None and phonenumbers.is_possible_number(parsed) else None
    for candidate in (_parsed(number, country), _parsed(f"+{number}", "")):
        if candidate is not None and phonenumbers.is_valid_number(candidate):
            return _formatted(candidate)
    return None


@lru_cache(maxsize=4096)
def international(number: str, country: str) -> str:
    """Return the number of a provider that leaves out the +; else as `e164`.

    74951234567 is a Russian number wherever the channel is, 84951234567 one dialled within Russia.
    """
    digits = number.strip()
    if not (digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15):
        return e164(number, country)
    trunk = phonenumbers.ndd_prefix_for_region(country, True)
    calling_code = str(phonenumbers.country_code_for_region(country))
    if trunk and digits.startswith(trunk) and not digits.startswith(calling_code) and _is_valid(digits, country):
        return e164(digits, country)
    return f"+{digits}" if _is_valid(f"+{digits}", country) else e164(digits, country)


def _is_withheld(number: str) -> bool:
    """Also by zeros only, and by the SIP address of nobody (RFC 3323, 4.1.1.3)."""
    found = _ADDRESS.fullmatch(number)
    who, host = (found[1], found[2] or "") if found else (number, "")
    return who.casefold() in _WITHHELD or host.lower() == _NOBODYS_HOST or not who.strip("+0")


def _formatted(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parsed(number: str, country: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number, country or None)
    except phonenumbers.NumberParseException:
        return None


def _is_valid(number: str, country: str) -> bool:
    parsed = _parsed(number, country)
    return parsed is not None and phonenumbers.is_valid_number(parsed)
