"""The eventsourcing library's recorders, run inside our own transactions: `recorder_for(transaction)`.

Positions are given out in commit order: SQLite has one writer at a time, PostgreSQL takes a table lock
(readers that follow the log would miss events otherwise).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol, cast
from uuid import UUID

from eventsourcing.persistence import StoredEvent, Tracking

from shared.database.protocol import Transaction

EVENTS = "stored_events"
_COPY: Any = f"COPY {EVENTS} (originator_id, originator_version, topic, state) FROM STDIN (FORMAT BINARY)"


class Recorder(Protocol):
    """What the store uses of a recorder (`eventsourcing.persistence.ProcessRecorder`), bound to one transaction."""

    def insert(self, stored_events: Sequence[StoredEvent], tracking: Sequence[Tracking]) -> None:
        """Append events and move positions forward. Raises a driver's unique violation, or Behind."""

    def select_events(self, originator_id: UUID | str, *, gt: int | None = None) -> Sequence[StoredEvent]: ...

    def max_notification_id(self) -> int | None: ...

    def max_tracking_id(self, application_name: str) -> int | None: ...


class Behind(Exception):
    """The position given is not ahead of the recorded one: another process has done this work already."""


def recorder_for(transaction: Transaction) -> Recorder:
    """Return the recorder that reads and writes through `transaction`."""
    recorder_class = _sqlite_class() if transaction.dialect == "sqlite" else _postgres_class()
    return cast("Recorder", recorder_class(transaction.connection))


def schema_statements(transaction: Transaction) -> list[Any]:
    """Return the statements that create the log's tables, as the library defines them (ours where it must differ)."""
    if transaction.dialect == "sqlite":
        return list(_sqlite_class()(transaction.connection).create_table_statements)
    recorder = _postgres_class()(transaction.connection)
    return [s for s in recorder.sql_create_statements if not _needs_composite_type(s.as_string())]


def _needs_composite_type(statement: str) -> bool:
    """The library's insert function is never used: it takes no lock and hangs on large batches."""
    return "CREATE TYPE" in statement or "FUNCTION" in statement


@cache
def _sqlite_class() -> type[Any]:
    from eventsourcing.sqlite import SQLiteCursor, SQLiteDatastore, SQLiteProcessRecorder

    from shared.database.sqlite_transaction import SqliteTransaction

    class BoundDatastore(SQLiteDatastore):
        """A datastore whose only connection is the one we are in a transaction with."""

        def __init__(self, connection: sqlite3.Connection) -> None:
            self._bound = connection
            self.single_row_tracking = True
            self.originator_id_type = "uuid"

        @contextmanager
        def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
            cursor = self._bound.cursor()
            cursor.row_factory = cast("Any", sqlite3.Row)
            yield SQLiteCursor(cursor)

        def close(self) -> None:
            """The connection is not ours to close."""

    class SqliteRecorder(SQLiteProcessRecorder):
        """Positions are an AUTOINCREMENT key: never used again, and kept by VACUUM (a bare rowid is neither)."""

        def __init__(self, connection: sqlite3.Connection) -> None:
            super().__init__(BoundDatastore(connection), events_table_name=EVENTS)
            self._connection = connection

        def construct_create_table_statements(self) -> list[str]:
            tracking = [s for s in super().construct_create_table_statements() if "tracking" in s]
            return [
                f"CREATE TABLE IF NOT EXISTS {EVENTS} (rowid INTEGER PRIMARY KEY AUTOINCREMENT,"
                " originator_id TEXT NOT NULL, originator_version INTEGER NOT NULL, topic TEXT NOT NULL,"
                " state BLOB NOT NULL, UNIQUE (originator_id, originator_version))",
                *tracking,
            ]

        def insert(self, stored_events: Sequence[StoredEvent], tracking: Sequence[Tracking]) -> None:
            SqliteTransaction(self._connection).insert_many(
                EVENTS,
                ("originator_id", "originator_version", "topic", "state"),
                [(cast("UUID", s.originator_id).hex, s.originator_version, s.topic, s.state) for s in stored_events],
            )
            self._move_all(tracking)

        def max_notification_id(self) -> int:
            """0 for an empty log. The library's own way makes a cursor and a row for it."""
            row = self._connection.execute(f"SELECT MAX(rowid) FROM {EVENTS}").fetchone()
            return row[0] or 0

        def _move_all(self, tracking: Sequence[Tracking]) -> None:
            """The library's statement for all places at once: a batch moves as many as the log has partitions."""
            if not tracking:
                return
            rows = ",".join(["(?, ?)"] * len(tracking))
            moved = self._connection.execute(
                f"INSERT INTO tracking VALUES {rows}"
                " ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id"
                " WHERE tracking.notification_id < excluded.notification_id RETURNING application_name",
                [value for place in tracking for value in (place.application_name, place.notification_id)],
            ).fetchall()
            _refuse_unmoved(tracking, moved)

    return SqliteRecorder


@cache
def _postgres_class() -> type[Any]:
    import psycopg
    from eventsourcing.postgres import PostgresDatastore, PostgresProcessRecorder
    from psycopg.rows import dict_row

    class BoundConnection:
        """Our connection with the rows the library expects."""

        def __init__(self, connection: psycopg.Connection[Any]) -> None:
            self._bound = connection

        def cursor(self) -> psycopg.Cursor[Any]:
            return self._bound.cursor(row_factory=dict_row)

    class BoundDatastore(PostgresDatastore):
        """A datastore whose only connection is the one we are in a transaction with."""

        def __init__(self, connection: psycopg.Connection[Any]) -> None:
            self._bound = connection
            self.single_row_tracking, self.lock_timeout, self.schema = True, 0, _schema_of(connection)
            self.originator_id_type, self.enable_db_functions = "uuid", False
            self.db_type_names: set[str] = set()

        def register_type_adapters(self) -> None:
            """The library's composite types are never used."""

        @contextmanager
        def get_connection(self) -> Iterator[Any]:
            yield BoundConnection(self._bound)

        def close(self) -> None:
            """The connection is not ours to close."""

    class PostgresRecorder(PostgresProcessRecorder):
        """Inserts by COPY, which the driver does in C (the library's way hangs on batches of 5 MB)."""

        def __init__(self, connection: psycopg.Connection[Any]) -> None:
            super().__init__(BoundDatastore(connection), events_table_name=EVENTS, tracking_table_name="tracking")
            self._connection = connection

        def insert(self, stored_events: Sequence[StoredEvent], tracking: Sequence[Tracking]) -> None:
            self._move_all(tracking)
            if not stored_events:
                return
            with self._connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                copy.set_types(("uuid", "bigint", "text", "bytea"))
                for stored in stored_events:
                    row = (stored.originator_id, stored.originator_version, stored.topic, stored.state)
                    copy.write_row(row)

        def _move_all(self, tracking: Sequence[Tracking]) -> None:
            """The library's statement for all places at once: a consumer of eight partitions moves eight."""
            if not tracking:
                return
            moved = self._connection.execute(
                f"INSERT INTO {self.tracking_table_name} AS t SELECT * FROM unnest(%b::text[], %b::bigint[])"
                " ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id"
                " WHERE t.notification_id < excluded.notification_id RETURNING application_name",
                [[place.application_name for place in tracking], [place.notification_id for place in tracking]],
                prepare=True,
            ).fetchall()
            _refuse_unmoved(tracking, moved)

    return PostgresRecorder


_SCHEMA = """
SELECT COALESCE((SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass(%s)), current_schema())
"""


def _schema_of(connection: Any) -> str:
    """Return where unqualified names lead: the library qualifies its own, and "public" may be closed to our user."""
    if not (schema := getattr(connection, "schema", "")):
        schema = connection.execute(_SCHEMA, (EVENTS,)).fetchone()[0] or "public"
        connection.schema = schema
    return str(schema)


def _refuse_unmoved(tracking: Sequence[Tracking], moved: Sequence[tuple[str]]) -> None:
    """Raises Behind."""
    if len(moved) < len(tracking):
        raise Behind(", ".join(sorted({p.application_name for p in tracking} - {name for (name,) in moved})))
