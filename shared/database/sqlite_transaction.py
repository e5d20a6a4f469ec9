"""A transaction on an sqlite3 connection, and what SQLite's errors mean to us."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Literal, cast

from shared.database.protocol import Conflict, DatabaseUnavailable, Row

CHUNKS = (256, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
"""Rows per INSERT: a statement costs more than a row."""

KEYS = 100
KEY_COUNTS = (1, 10, KEYS)
"""Keys per SELECT: few different statements, so that they stay prepared."""

_NO_COPIES = "OR FAIL"
"""A row that is refused leaves those before it until its job is rolled back, as every job is that raises. To take them
back at once, SQLite would copy each page to a file before the statement changes it, which costs as much as writing it
(sqlite.org/tempfiles.html, "Statement journal files")."""


class SqliteTransaction:
    """A transaction on a sqlite3 connection; knows which topics to notify after the commit."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, connection: sqlite3.Connection, keys: Any = None) -> None:
        self.connection, self.keys = connection, keys
        self.topics: set[str] = set()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self.connection.execute(sql, cast("Any", parameters)).fetchall()

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        return cast("Row | None", self.connection.execute(sql, cast("Any", parameters)).fetchone())

    def rows_in(self, sql: str, keys: Sequence[str], tail: str = "") -> list[Row]:
        found: list[Row] = []
        for start in range(0, len(keys), KEYS):
            part = list(keys[start : start + KEYS])
            size = next(size for size in KEY_COUNTS if size >= len(part))
            marks = ",".join("?" * size)
            found += self.rows(f"{sql} IN ({marks}) {tail}", part + part[-1:] * (size - len(part)))
        return found

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        return self.connection.execute(sql, cast("Any", parameters)).rowcount

    def run_many(self, sql: str, parameters: Iterable[Sequence[object]]) -> None:
        self.connection.executemany(sql, cast("Any", parameters))

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]], tail: str = "") -> None:
        head = f"INSERT {_NO_COPIES} INTO {table} ({','.join(columns)}) VALUES "
        marks = f"({','.join('?' * len(columns))})"
        start, end = 0, len(rows)
        for size in CHUNKS:
            if end - start < size:
                continue
            sql = f"{head}{','.join([marks] * size)} {tail}"
            while end - start >= size:
                self.connection.execute(sql, list(chain.from_iterable(rows[start : start + size])))
                start += size

    def script(self, sql: str) -> None:
        for statement in filter(str.strip, _statements(sql.replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY"))):
            if not statement.lstrip().startswith("/* postgres */"):
                self.connection.execute(statement)

    def notify(self, topic: str) -> None:
        self.topics.add(topic)


def _statements(sql: str) -> Iterator[str]:
    """Yield each without its semicolon; those in texts, comments and triggers end none."""
    statement = ""
    for part in sql.split(";"):
        statement += part
        if sqlite3.complete_statement(f"{statement};"):
            yield statement
            statement = ""
        else:
            statement += ";"
    yield statement


@contextmanager
def begun(transaction: SqliteTransaction, mode: Literal["IMMEDIATE", "DEFERRED"]) -> Iterator[None]:
    """Begin, then COMMIT or ROLLBACK. Raises Conflict, DatabaseUnavailable or what the block raised."""
    connection = transaction.connection
    try:
        connection.execute(f"BEGIN {mode}")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise translated(error) from error


def translated(error: BaseException) -> BaseException:
    """Return Conflict or DatabaseUnavailable where the error means that, else the error."""
    match error:
        case sqlite3.IntegrityError() if "UNIQUE" in str(error) or "PRIMARY KEY" in str(error):
            return Conflict(str(error))
        case sqlite3.OperationalError() if _is_passing(error):
            return DatabaseUnavailable(str(error))
    return error


def _is_passing(error: sqlite3.OperationalError) -> bool:
    text = str(error)
    return any(part in text for part in ("locked", "full", "disk I/O", "unable to open", "readonly"))
