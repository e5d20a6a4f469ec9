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
