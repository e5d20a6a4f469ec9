"""PURE: a customer's card as vCard 4.0 (RFC 6350): one contact for address books and other programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LINE_OCTETS = 75
"""RFC 6350, section 3.2: longer lines SHOULD be folded; the line break is not counted."""


@dataclass(frozen=True, slots=True)
class PersonCard:
    """A card and identities as the API shows them, and the labels of own fields by key."""

    card: Mapping[str, Any]
    identities: Sequence[Mapping[str, str]]
    labels: Mapping[str, str] = field(default_factory=dict)


def vcard(person: PersonCard) -> str:
    """Return the vCard with its line breaks (CRLF)."""
    return "".join(f"{fold(line)}\r\n" for line in _lines(person))


def _lines(person: PersonCard) -> Iterator[str]:
    card = person.card
    known_by = next((each["address"] for each in person.identities if each["address"]), card["customer_id"])
    yield "BEGIN:VCARD"
    yield "VERSION:4.0"  # section 6.7.9: it comes right after BEGIN
    yield "PRODID:-//Okno//Okno//EN"
    yield f"UID:urn:uuid:{card['customer_id']}"
    yield f"FN:{text(card['name'] or known_by)}"  # section 6.2.1: there is one at least
    for identity in person.identities:
        yield from _identity(identity) if identity["address"] else ()
    yield from (f"ADR:;;{component(address)};;;;" for address in card["addresses"])
    yield from _given("ORG", component(card["organisation"] or ""))
    yield from _given("LANG", card["language"] or "")
    yield from _given("TZ", text(card["time_zone"] or ""))
    yield from _given("BDAY", _date(card["birthday"] or ""))
    yield from _given("CATEGORIES", ",".join(map(text, card["tags"])))
    yield from _given("NOTE", text(_note(card)))
    for key, value in card["own"].items():
        yield from _own(key, person.labels.get(key, key), value)
    if card["changed_at"]:
        yield f"REV:{re.sub(r'[-:]|[.][0-9]+', '', card['changed_at'])}"
    yield "END:VCARD"


def _given(name: str, value: str) -> Iterator[str]:
    if value:
        yield f"{name}:{value}"


def _identity(identity: Mapping[str, str]) -> Iterator[str]:
    """Section 6.4: a telephone is a URI, other messengers are IMPP, which takes any URI."""
    kind, address = identity["kind"], identity["address"]
    if kind == "email":
        yield f"EMAIL:{text(address)}"
    elif kind == "phone" and re.fullmatch(r"\+?[0-9]+", address, re.ASCII):
        yield f"TEL;VALUE=uri:tel:{address}"
    elif kind == "phone":
        yield f"TEL;VALUE=text:{text(address)}"
    elif re.fullmatch(r"[a-z][a-z0-9+.-]*", kind) and re.fullmatch(r"[\w.@+-]+", address, re.ASCII):
        yield f"IMPP:{kind}:{address}"


def _date(birthday: str) -> str:
    """Section 4.3.1 wants the basic format: 19901231, or --1231 without a year."""
    return "--" + birthday[2:].replace("-", "") if birthday.startswith("--") else birthday.replace("-", "")


def _note(card: Mapping[str, Any]) -> str:
    return "\n\n".join(filter(None, (card["notes"], card["requisites"])))


def _own(key: str, label: str, value: Any) -> Iterator[str]:
    if value is not None:
        said = {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        yield f"X-OKNO-{key.upper().replace('_', '-')};X-LABEL={parameter(label)}:{text(said)}"


# --- RFC 6350, sections 3.2 to 3.4 -------------------------------------------------------------------------

_NOT_ALLOWED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""Section 3.3: of control characters a value has the tab only; line ends are written as \\n."""


def text(value: str) -> str:
    """Return a text value: section 3.4."""
    clean = _NOT_ALLOWED.sub("", value.replace("\r\n", "\n").replace("\r", "\n"))
    return clean.replace("\\", "\\\\").replace(",", "\\,").replace("\n", "\\n")


def component(value: str) -> str:
    """Return one component of a compound value, in which semicolons are escaped as well."""
    return text(value).replace(";", "\\;")


def parameter(value: str) -> str:
    """Return a parameter's value, quoted: RFC 6868 says how it has quotes and line ends."""
    clean = _NOT_ALLOWED.sub("", value)
    return '"' + clean.replace("^", "^^").replace("\n", "^n").replace('"', "^'") + '"'


def fold(line: str) -> str:
    """Return a line in pieces of at most 75 octets, none of which ends within a character (section 3.2)."""
    pieces, rest, room = [], line.encode(), LINE_OCTETS
    while len(rest) > room:
        end = room
        while rest[end] & 0xC0 == 0x80:  # a byte that continues a character (RFC 3629, section 3)
            end -= 1
        pieces.append(rest[:end])
        rest, room = rest[end:], LINE_OCTETS - 1  # the space that begins the next piece counts
    return "\r\n ".join(piece.decode() for piece in (*pieces, rest))
