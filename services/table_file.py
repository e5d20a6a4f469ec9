"""Rows into a file: CSV that no spreadsheet takes for formulas, or JSON. The file is there as a whole or not at all."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from shared.owner_only import opener

KINDS = (".csv", ".json")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in spreadsheets (owasp.org/www-community/attacks/CSV_Injection)."""


def write_table(file: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows to a file whose name ends in one of KINDS. Raises OSError."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(draft, "w", encoding="utf-8", newline="", opener=opener) as out:
            if file.suffix == ".json":
                out.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
            else:
                writer = csv.writer(out)
                writer.writerow(columns)
                writer.writerows([_cell(row[column]) for column in columns] for row in rows)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
