"""A visiting card (vCard 2.1 to 4.0) in words, PURE."""

from __future__ import annotations

import re

from shared.channels.email import content_lines

MAX_CARDS = 10
MAX_ROWS = 40

_ROWS = {"ORG": "Company", "TITLE": "Position", "TEL": "Telephone", "EMAIL": "E-mail", "ADR": "Address", "URL": "Site"}


def describe(data: bytes, declared: str) -> str:
    """Return a few lines for the operator, empty for what is no card."""
    cards: list[list[str]] = []
    for line in content_lines.read(data, declared):
        if line.name == "BEGIN" and line.value.strip().upper() == "VCARD" and len(cards) < MAX_CARDS:
            cards.append([])
        elif cards and line.name == "FN":
            cards[-1].insert(0, f"Contact: {content_lines.unescaped(line.value)}")
        elif cards and line.name in _ROWS and len(cards[-1]) < MAX_ROWS:
            cards[-1].append(f"{_ROWS[line.name]}: {_value(line.value)}")
    return "\n\n".join("\n".join(dict.fromkeys(rows)) for rows in cards if rows)


def _value(value: str) -> str:
    """Return `;`-separated pieces (an address, a company and its department) with commas, URIs without their scheme."""
    pieces = (
        content_lines.unescaped(piece) for piece in re.split(r"(?<!\\);", re.sub(r"(?i)^(tel|mailto):", "", value))
    )
    return ", ".join(piece for piece in pieces if piece)
