"""PURE: telephone numbers as providers write them -> E.164; what is no public number stays as it is."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

_WITHHELD = frozenset({"", "anonymous", "unknown", "restricted", "unavailable", "private", "withheld", "hidden"})
_SIP = re.compile(r"(?:sips?|tel):(\+?\d{7,15})(?:[@;].*)?", re.IGNORECASE)


@lru_cache(maxsize=4096)
def e164(number: str, country: str) -> str:
    """Return the number in E.164; a short, internal or SIP one as it is; empty if the caller withheld it."""
    number = number.strip()
    if number.lower() in _WITHHELD:
        return ""
    if sip := _SIP.fullmatch(number):
        number = sip[1]
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return number
    if not phonenumbers.is_possible_number(parsed):
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


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


def _is_valid(number: str, country: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, country))
    except phonenumbers.NumberParseException:
        return False
