"""When two addresses are the same one: PURE, strict, by kind. What only looks alike is never the same.

The one form is NFC, never NFKC: that would make a full-width or an encircled letter a Latin one. Dots of a mailbox
stay: whether they matter is known to its provider only (RFC 5321, section 2.3.11).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST = 320
"""Characters of an e-mail address (RFC 3696, section 3)."""
REMEMBERED = 4096
"""Addresses whose spellings are at hand: each message asks for its sender's several times."""
GIVEN_CHARACTERS = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets (RFC 3696, erratum 1690)."""
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_](?:[\w-]*[^\W_])")
_PHONE = re.compile(r"\+[0-9]{5,15}")
_BETWEEN_DIGITS = re.compile(r"[\s()./\u00a0\u2010-\u2015-]")
_NUMBER = re.compile(r"-?[0-9]{1,19}")


def normal(kind: str, address: str) -> str:
    """Return the one form of an address, by which it is found: the same for all its spellings, itself for itself."""
    match kind:
        case "email":
            return email(address)
        case "phone":
            return phone(address)
        case "telegram":
            return telegram(address)
    return address.strip()


def email(address: str) -> str:
    """Return an address in lower case, its domain as it is read (U-labels, RFC 5890) and without a final dot.

    The mailbox is lower case too: RFC 5321 lets a provider tell them apart, none does.
    """
    local, at, domain = unicodedata.normalize("NFC", address.strip().lower()).rpartition("@")
    return unicodedata.normalize("NFC", local + at + _domain(domain))[:LONGEST]


@lru_cache(maxsize=REMEMBERED)
def given_email(text: str) -> str | None:
    """Return the e-mail address that a file or a person gives, in its one form; None when it is none.

    What arrives from a mail server is an address whatever it looks like; what somebody types in must look like one.
    """
    address = unicodedata.normalize("NFC", text.strip().removeprefix("mailto:")).lower()
    if len(address) > GIVEN_CHARACTERS or ".." in address or not _EMAIL.fullmatch(address):
        return None
    mailbox = address.partition("@")[0]
    return None if mailbox[0] == "." or mailbox[-1] == "." else email(address)


def phone(number: str) -> str:
    """Return an E.164 number (ITU-T E.164: + and up to 15 digits) without what was written between the digits.

    What has no + is no public number, or one whose country the channel has not said: it stays as it is.
    """
    digits = _BETWEEN_DIGITS.sub("", number)
    return digits if _PHONE.fullmatch(digits) else number.strip()


def telegram(id_: str) -> str:
    """Return the id of a user or chat as a number (Bot API: a signed 64-bit integer); names are no ids."""
    text = id_.strip()
    return str(int(text)) if _NUMBER.fullmatch(text) else text


@lru_cache(maxsize=REMEMBERED)
def spellings(kind: str, address: str) -> tuple[str, ...]:
    """Return the forms under which an address may have been stored, the one given and the one of today first."""
    forms = (address, normal(kind, address))
    older = (_with_a_labels(forms[1]),) if kind == "email" and not address.isascii() else ()
    return tuple(dict.fromkeys((*forms, *older)))


def without_tag(kind: str, address: str) -> str | None:
    """Return the mailbox that an address with a plus (RFC 5233: sub-addressing) leads to; None without a plus."""
    local, at, domain = address.rpartition("@")
    mailbox, plus, _ = local.partition("+")
    return f"{mailbox}{at}{domain}" if kind == "email" and plus and mailbox and not local.startswith('"') else None


def mailbox_of(address: str) -> str:
    """Return whose mailbox an address is: a ticket system may ask for its answers at a new plus-address each time."""
    return without_tag("email", address.lower()) or address.lower()


def _domain(domain: str) -> str:
    if "xn--" not in domain:
        return domain.rstrip(".")
    return ".".join(_u_label(label) for label in domain.rstrip(".").split("."))


def _u_label(label: str) -> str:
    """Return an A-label as it is read, if it is one: punycode of letters it did not need would hide what it is."""
    if not label.startswith("xn--") or len(label) > 63 or not label.isascii():
        return label
    try:
        read = label[4:].encode("ascii").decode("punycode")
        is_one = not read.isascii() and "xn--" + read.encode("punycode").decode("ascii") == label
    except UnicodeError:
        return label
    is_normal = is_one and unicodedata.normalize("NFC", read.lower()) == read and not set(read) & set("@.")
    return read if is_normal else label


def _with_a_labels(address: str) -> str:
    local, at, domain = address.rpartition("@")
    labels = (f"xn--{label.encode('punycode').decode('ascii')}" if not label.isascii() else label
              for label in domain.split("."))  # fmt: skip
    return local + at + ".".join(labels)
