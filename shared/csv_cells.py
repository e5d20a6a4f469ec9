"""PURE: cells of a CSV file that no spreadsheet takes for a formula, and back: what is exported reads back unchanged.

OWASP ("CSV Injection"): a cell that begins with = + - @, tab or a line end may be run as a formula. Such a cell gets a
' before it, which reading takes away again. Telephone numbers are written as URIs (RFC 3966: tel:+79991234567): they
begin with a letter, so they need no ', stay usable for programs, and Excel does not make 7,99912E+10 of them.
"""

from __future__ import annotations

import re

_DANGEROUS = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""Also in full width, which some spreadsheets take for the same; ' before them counts, so that reading is exact."""


def guarded(text: str) -> str:
    """Return a text as it is written into a cell."""
    return f"'{text}" if _DANGEROUS.match(text) else text


def read(cell: str) -> str:
    """Return the text of a cell, whoever wrote it."""
    return cell[1:] if cell.startswith("'") and _DANGEROUS.match(cell, 1) else cell
