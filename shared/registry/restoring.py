"""The restore that is going on here, or was cut short: while its row is there, no service may start on what is loaded.

Written before anything is loaded, and deleted when all is there.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.clock import now, to_text
from shared.database.protocol import Transaction

TOPIC = "restoring"
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS restoring (only_one BIGINT PRIMARY KEY, file TEXT NOT NULL, begun_at TEXT NOT NULL)"
)


class RestoreUnfinished(Exception):
    """What is loaded is not all; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Begun:
    """`file`: which backup is being loaded; `at`: since when."""

    file: str
    at: str


def begin(tx: Transaction, file: str) -> None:
    """Write down that a backup is being loaded from now on, in the place of one that was cut short."""
    tail = "ON CONFLICT (only_one) DO UPDATE SET file = excluded.file, begun_at = excluded.begun_at"
    tx.insert_many("restoring", ("only_one", "file", "begun_at"), [(1, file, to_text(now()))], tail)


def end(tx: Transaction) -> None:
    """All of it is there, or nothing was loaded."""
    tx.run("DELETE FROM restoring")


def unfinished(tx: Transaction) -> Begun | None:
    """Return the restore that has begun and not ended."""
    row = tx.row("SELECT file, begun_at FROM restoring")
    return Begun(*row) if row else None


def refuse_unfinished(tx: Transaction) -> None:
    """Raises RestoreUnfinished while there is one."""
    if begun := unfinished(tx):
        raise RestoreUnfinished(
            f"a backup ({begun.file}) is being restored here since {begun.at}, or that was cut short:"
            " wait for its end, or run `okno restore` again, which begins anew"
        )
