"""PURE: addresses as people write them -> the keys customers are found by: e-mail in lower case, phones in E.164."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers

ADDRESS_CHARACTERS = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets (RFC 3696, erratum 1690)."""
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_](?:[\w-]*[^\W_])")


@lru_cache(maxsize=4096)
def email(text: str) -> str | None:
    """Return an e-mail address as the key the mail channel makes of it; None when it is none."""
    address = unicodedata.normalize("NFC", text.strip().removeprefix("mailto:")).lower()
    if len(address) > ADDRESS_CHARACTERS or ".." in address or not _EMAIL.fullmatch(address):
        return None
    user, _, domain = address.partition("@")
    return None if user[0] == "." or user[-1] == "." else f"{user}@{'.'.join(map(_label, domain.split('.')))}"


def _label(label: str) -> str:
    """RFC 5891: a label that was encoded stands for its letters, so that both are one address."""
    try:
        return label[4:].encode("ascii").decode("punycode").lower() if label.startswith("xn--") else label
    except UnicodeError:
        return label


@lru_cache(maxsize=4096)
def phone(text: str, country: str) -> str | None:
    """Return a telephone number in E.164; None when it is none, or `country` ("RU") is needed and not given.

    A number without + that is valid only with one (79991234567 where no country is given) is taken so.
    """
    number = text.strip().removeprefix("tel:")
    if number.startswith("+"):
        parsed = _parsed(number, "")
        return _e164(parsed) if parsed is not None and phonenumbers.is_possible_number(parsed) else None
    for candidate in (_parsed(number, country), _parsed(f"+{number}", "")):
        if candidate is not None and phonenumbers.is_valid_number(candidate):
            return _e164(candidate)
    return None


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parsed(number: str, country: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number, country or None)
    except phonenumbers.NumberParseException:
        return None
