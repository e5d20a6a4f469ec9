"""Tables of analysts' own projections: they have what `apply` took from the log, so all of them are made anew.

Those where they lie by themselves, beside the data or in the log's PostgreSQL, go at once. Wherever else somebody put
theirs, `okno replay` makes them anew the next time it runs.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from shared.database.drop import SQLITE_OBJECTS
from shared.database.protocol import Database, DatabaseUnavailable

WAIT_SECONDS = 10.0


class NoProjection(Exception):
    """Something lies among the projections that cannot be emptied: what it has of anybody has to go by hand."""


def forget(database: Database, data: Path) -> int:
    """Remove the tables of every projection; return how many files and schemas that were."""
    files = sorted((data / "replay").glob("*.db"))
    for file in files:
        _empty(file)
    return len(files) + _schemas(database)


def _empty(file: Path) -> None:
    """Whoever follows the log into it goes on in the same file.

    Raises DatabaseUnavailable while it is in use, and NoProjection.
    """
    try:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=WAIT_SECONDS)) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("BEGIN IMMEDIATE")  # whoever follows finds all of its tables, or none
            for kind, name in connection.execute(SQLITE_OBJECTS).fetchall():
                connection.execute(f'DROP {kind} IF EXISTS "{name}"')
            connection.execute("COMMIT")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        raise DatabaseUnavailable(f"{file}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise NoProjection(f"{file} is no SQLite file ({error}): move it out of there, and look what it has") from error


def _schemas(database: Database) -> int:
    if database.dialect == "sqlite":
        return 0
    made = "schemaname LIKE 'replay\\_%' AND tablename = 'replay_position'"  # not whatever somebody calls so
    sql = f"SELECT schemaname FROM pg_tables WHERE {made}"
    with database.writing() as tx:
        names = [name for (name,) in tx.rows(sql)]
        for name in names:
            tx.script(f'DROP SCHEMA "{name}" CASCADE')
    return len(names)
