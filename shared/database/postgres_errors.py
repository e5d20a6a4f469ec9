"""What PostgreSQL's errors mean to Okno: somebody was first, it is out of reach for now, or it is a bug of ours."""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolTimeout

from shared.database.postgres_connect import why_not
from shared.database.protocol import Conflict, DatabaseUnavailable
from shared.said import said

READ_ONLY = "25006"
"""A server that has become a standby, or one that its provider has closed to writing (a full disk)."""
PASSING = {READ_ONLY, "25P03", "25P04", "2BP01", "42501"}
"""SQLSTATEs of what psycopg takes for bugs and people put right: read-only, a transaction that took the server too
long, a table that cannot be replaced since somebody's view reads it, no right to a table."""
IN_USE = "a table is in use by a transaction of somebody else that does not end (pg_stat_activity shows whose)"
LIMIT_EXCEEDED = "54"
"""SQLSTATE class of what is too large for PostgreSQL: to repeat it cannot help."""


def translated(error: Exception, url: str) -> Exception:
    """Return Conflict or DatabaseUnavailable where the error means that, else the error."""
    match error:
        case psycopg.errors.UniqueViolation() | psycopg.errors.DeadlockDetected():
            return Conflict(said(error))
        case PoolTimeout():
            return DatabaseUnavailable(why_not(url) or said(error))
        case psycopg.errors.LockNotAvailable():
            return DatabaseUnavailable(f"{IN_USE}: {error}")
        case psycopg.Error() if _is_passing(error):
            return DatabaseUnavailable(said(error))
    return error


def _is_passing(error: psycopg.Error) -> bool:
    state = error.sqlstate or ""
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return not state.startswith(LIMIT_EXCEEDED)
    return state in PASSING


def leaves_read_only(error: BaseException) -> bool:
    """Return whether a session must be given up: it stays read-only when the server is so no more."""
    return isinstance(error, psycopg.Error) and error.sqlstate == READ_ONLY
