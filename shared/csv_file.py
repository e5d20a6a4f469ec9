"""Reads CSV as Excel and others write it, row by row: encoding and separator are found out, memory does not grow.

Rows are numbered as a spreadsheet shows them: the headings are row 1.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from shared.csv_cells import read as read_cell

SEPARATORS = (",", ";", "\t")
LOOK_AT = 64 * 1024
"""Bytes in which the separator is looked for."""
PIECE = 1024 * 1024
MOST_COLUMNS = 500
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class WrongFile(Exception):
    """It is no CSV file that could be read; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is written; `headings` are its first row, `hint` says that Excel's `sep=;` came before it."""

    encoding: str
    separator: str
    headings: tuple[str, ...]
    hint: bool


def shape_of(file: BinaryIO) -> Shape:
    """Return how a file is written. Raises WrongFile."""
    encoding = _encoding(file)
    file.seek(0)
    start = codecs.getincrementaldecoder(encoding)("replace").decode(file.read(LOOK_AT))  # reading tells which row
    separator, hint = _hinted(start) or _separator(start), _hinted(start) is not None
    rows = _rows(file, encoding, separator)
    headings = next(islice(rows, int(hint), None), None)
    if headings is None or not any(headings[1]):
        raise WrongFile("the file has no headings in its first row")
    if len(headings[1]) > MOST_COLUMNS:
        raise WrongFile(f"the file has more than {MOST_COLUMNS} columns")
    return Shape(encoding, separator, tuple(cell.strip() for cell in headings[1]), hint)


def rows_of(file: BinaryIO, shape: Shape) -> Iterator[tuple[int, list[str]]]:
    """Return the rows below the headings with their numbers; empty ones are left out. Raises WrongFile."""
    rows = _rows(file, shape.encoding, shape.separator)
    for number, cells in islice(rows, 1 + shape.hint, None):
        if any(cells):
            yield number, cells


def _rows(file: BinaryIO, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    number = 0
    try:
        for number, cells in enumerate(csv.reader(text, delimiter=separator, strict=True), 1):
            yield number, [read_cell(cell) for cell in cells]
    except csv.Error as error:
        raise WrongFile(f"row {number + 1} cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        raise WrongFile(f"row {number + 1} is not {encoding}: {error.reason}") from None
    finally:
        if not file.closed:
            text.detach()  # which would else close it, though whoever gave it reads it again


def _encoding(file: BinaryIO) -> str:
    """UTF-8 is tried on all of the file: bytes of windows-1251 text are next to never valid UTF-8 by chance."""
    file.seek(0)
    start = file.read(4)
    if marked := next((name for mark, name in _MARKS if start.startswith(mark)), None):
        return marked
    if b"\0" in start + file.read(LOOK_AT):
        raise WrongFile("this is no text: save the table as CSV")
    for name in ("utf-8", "windows-1251"):
        decoder = codecs.getincrementaldecoder(name)()
        file.seek(0)
        try:
            while piece := file.read(PIECE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        if not start:
            raise WrongFile("the file is empty")
        return name
    raise WrongFile("the file is neither UTF-8 nor windows-1251")


def _hinted(start: str) -> str | None:
    """Excel's own first line: `sep=;`."""
    line = start.lstrip("\ufeff").splitlines()[0] if start.strip("\ufeff\r\n") else ""
    line = line.strip('"')
    return line[4:] if line.lower().startswith("sep=") and line[4:] in SEPARATORS else None


def _separator(start: str) -> str:
    """Return the one that makes the most rows as wide as the headings; of equals the one that makes more columns."""
    return max(SEPARATORS, key=lambda separator: _fitness(start, separator))


def _fitness(start: str, separator: str) -> tuple[int, int]:
    try:
        widths = [
            len(row) for row in islice(csv.reader(io.StringIO(start, newline=""), delimiter=separator), 50) if row
        ]
    except csv.Error:
        return 0, 0
    if not widths or widths[0] < 2:
        return 0, 0
    return Counter(widths[:-1] or widths)[widths[0]], widths[0]
