"""A transaction on a psycopg connection: statements as we write them for both databases, in PostgreSQL's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal, cast

import psycopg

from shared.database.protocol import Row

CHANNEL = "okno"
COPIED_ROWS = 20

JOINED = 10
"""So many texts or numbers go as one text: the driver makes an array in Python, which took a fifth of the intake's
time."""
_BETWEEN, _NULL = "\x1f", "\x1e"


class PostgresTransaction:
    """Notifies once of each topic, with the commit."""

    dialect: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, connection: psycopg.Connection[Row], keys: Any = None) -> None:
        self.connection, self.keys = connection, keys
        self._topics: set[str] = set()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self._execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        return self._execute(sql, parameters).fetchone()

    def rows_in(self, sql: str, keys: Sequence[str], tail: str = "") -> list[Row]:
        if not keys:
            return []
        array, parameter = _array("text", keys)
        return self.rows(f"{sql} = ANY({array}) {tail}", (parameter,))

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        return self._execute(sql, parameters).rowcount

    def run_many(self, sql: str, parameters: Iterable[Sequence[object]]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(_percent(sql), parameters)

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]], tail: str = "") -> None:
        """COPY for many rows, INSERT ... SELECT FROM unnest(arrays) for few and where some may be there already."""
        if not rows:
            return
        types = _column_types(self.connection, table, tuple(columns))
        if len(rows) >= COPIED_ROWS and not tail:
            self._copy(f"COPY {table} ({','.join(columns)}) FROM STDIN (FORMAT BINARY)", types, rows)
            return
        arrays = [_array(kind, column) for kind, column in zip(types, zip(*rows, strict=True), strict=True)]
        given = ",".join(array for array, _ in arrays)
        sql = f"INSERT INTO {table} ({','.join(columns)}) SELECT * FROM unnest({given}) {tail}"
        self._execute(sql, [parameter for _, parameter in arrays])

    def script(self, sql: str) -> None:
        """The server takes many at once; by their semicolons they are told apart only where some are not for it."""
        script = sql.replace("BLOB", "BYTEA").replace("WITHOUT ROWID", "")
        statements = script.split(";") if "/* sqlite */" in script else [script]
        for statement in filter(str.strip, statements):
            if not statement.lstrip().startswith("/* sqlite */"):
                self.connection.execute(cast("Any", statement), prepare=False)

    def notify(self, topic: str) -> None:
        if topic not in self._topics:
            self._topics.add(topic)
            self.connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, topic))

    def _execute(self, sql: str, parameters: Sequence[object]) -> psycopg.Cursor[Row]:
        """Binary results: bytes and UUIDs arrive as they are, which takes a third of the time."""
        return self.connection.execute(_percent(sql), parameters, prepare=True, binary=True)

    def _copy(self, sql: str, types: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(cast("Any", sql)) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)


@lru_cache(maxsize=1024)
def _percent(sql: str) -> Any:
    return sql.replace("%", "%%").replace("?", "%s")


def _array(kind: str, values: Sequence[object]) -> tuple[str, object]:
    """Return an SQL array of a type, and its parameter."""
    if kind == "bigint" and len(values) >= JOINED:
        numbers = ",".join(["NULL" if value is None else str(value) for value in values])
        return "?::text::bigint[]", f"{{{numbers}}}"
    if kind == "text" and len(values) >= JOINED:
        texts = [_NULL if value is None else str(value) for value in values]
        joined = _BETWEEN.join(texts)
        if joined.count(_BETWEEN) == len(texts) - 1 and joined.count(_NULL) == values.count(None):
            return f"string_to_array(?, '{_BETWEEN}', '{_NULL}')", joined
    return f"?::{kind}[]", list(values)


_types: dict[tuple[str, str], str] = {}


def _column_types(connection: psycopg.Connection[Row], table: str, columns: tuple[str, ...]) -> list[str]:
    """Return the SQL types of columns, read once a table and process; a rebuilt table may have further columns."""
    if any((table, column) not in _types for column in columns):
        rows = connection.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            (table,),
        ).fetchall()
        _types.update({(table, name): kind for name, kind in rows})
    return [_types[table, column] for column in columns]
