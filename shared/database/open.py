"""`open_database(url)`: sqlite:///path/to/okno.db or postgresql://user:password@host:port/name."""

from __future__ import annotations

from pathlib import Path

from shared.database.protocol import Database


def open_database(url: str) -> Database:
    """Return the database of a URL. Raises ValueError for a scheme that is not sqlite or postgresql."""
    scheme = url.partition("://")[0]
    if file := file_of(url):
        from shared.database.sqlite import SqliteDatabase

        return SqliteDatabase(file)
    if scheme in ("postgresql", "postgres"):
        from shared.database.postgres import PostgresDatabase

        return PostgresDatabase(url)
    raise ValueError(f"OKNO_DATABASE_URL must start with sqlite:/// or postgresql://, not {scheme!r}")


def file_of(url: str) -> Path | None:
    """Return the file that a URL of SQLite names; None for one of a server."""
    scheme, _, rest = url.partition("://")
    if scheme != "sqlite":
        return None
    return Path(rest if rest.startswith("/") and not rest.startswith("//") else rest[1:])
