"""An analyst's own projection: how it is found, what it must have, and what is said when its code fails."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain.events import Recorded
from shared.said import said_with_kind

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ENDING = re.compile(r"\s*(COMMIT|END|ABORT|ROLLBACK(?!(\s+(TRANSACTION|WORK))?\s+TO\b))\b", re.IGNORECASE)
"""Back to a savepoint is within the transaction."""
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class BrokenProjection(Exception):
    """The analyst's code or SQL failed; the text says where."""


@dataclass(frozen=True, slots=True)
class Projection:
    """`name` is the namespace of its tables; `source` tells one state of its file from another."""

    name: str
    version: str
    source: str
    file: str
    schema: str
    query: str
    apply: Callable[[Tables, Recorded], None]


@dataclass(frozen=True, slots=True)
class Tables:
    """What `apply` writes to: SQL with `?` for parameters; UUIDs and times are stored as texts that sort."""

    tx: Transaction

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement and return how many rows it touched."""
        return self.tx.run(_within(sql), [_stored(value) for value in parameters])

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """Run a statement and return its first row, None when there is none."""
        return self.tx.row(_within(sql), [_stored(value) for value in parameters])

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run a statement and return its rows."""
        return self.tx.rows(_within(sql), [_stored(value) for value in parameters])


def load(wanted: str) -> Projection:
    """Return the projection MODULE:NAME; MODULE is importable from here, or the path of a file. Raises
    BrokenProjection."""
    module_name, _, name = wanted.rpartition(":")
    if not module_name or not name:
        raise BrokenProjection(f"{wanted!r} is not MODULE:NAME, such as reports.py:FirstResponse")
    module = _module(module_name)
    file = str(module.__file__ or "")
    found = getattr(module, name, None)
    if found is None:
        raise BrokenProjection(f"{file or module_name} has no {name}")
    try:
        made = found() if isinstance(found, type) else found
    except Exception as error:
        raise BrokenProjection(told(error, file)) from error
    return _checked(made, name, file)


def told(error: BaseException, file: str) -> str:
    """Return what failed and in which line of the analyst's file."""
    what = said_with_kind(error).splitlines()[0]
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {what}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}, line {lines[-1]}: {what}" if lines else f"{file}: {what}"


def _module(name: str) -> ModuleType:
    path = Path(name)
    if path.suffix != ".py":
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and name.split(".")[: error.name.count(".") + 1] == error.name.split("."):
                raise BrokenProjection(f"no module {name}; a file is given as path/to/file.py:NAME") from error
            raise BrokenProjection(told(error, _file_of(name))) from error
        except Exception as error:
            raise BrokenProjection(told(error, _file_of(name))) from error
    if not path.is_file():
        raise BrokenProjection(f"no file {name}")
    spec = importlib.util.spec_from_file_location(path.stem, path.absolute())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BrokenProjection(told(error, str(path.absolute()))) from error
    return module


def _file_of(module: str) -> str:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return module
    return spec.origin or module if spec else module


def _checked(made: Any, name: str, file: str) -> Projection:
    schema, apply, query = (getattr(made, part, None) for part in ("schema", "apply", "query"))
    namespace = getattr(made, "name", None) or _WORDS.sub("_", name).lower()
    if not isinstance(schema, str) or not schema.strip():
        raise BrokenProjection(f"{file}: {name} needs `schema`, the text that creates its table")
    if not callable(apply) or inspect.iscoroutinefunction(apply):
        raise BrokenProjection(f"{file}: {name} needs `apply(db, recorded)`, a plain function")
    if not isinstance(namespace, str) or not _NAME.fullmatch(namespace):
        raise BrokenProjection(f"{file}: the name of {name} must be small letters, digits and _, not {namespace!r}")
    if query is not None and not isinstance(query, str):
        raise BrokenProjection(f"{file}: `query` of {name} must be text")
    source = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file and Path(file).is_file() else ""
    return Projection(namespace, str(getattr(made, "version", 1)), source, file, schema, query or "", apply)


def _within(sql: str) -> str:
    """Raises ValueError for what ends the transaction that keeps the tables and their position together."""
    if _ENDING.match(sql):
        raise ValueError(f"apply is part of a transaction, which {sql.strip()} would end")
    return sql


def _stored(value: object) -> object:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return to_text(value)
    return value
