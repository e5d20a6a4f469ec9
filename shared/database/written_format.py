"""The mark of how the data is written: an Okno that is too old for it is refused before it has written anything.

Raise FORMAT, and say in NEEDS which version is the first to have it, with every change after which an older Okno would
misread or damage what is there: a new stored event, another meaning of one, another shape of a table that is kept. Read
models are no reason: they have versions of their own, and are made anew.
"""

from __future__ import annotations

from shared.database.protocol import Transaction

FORMAT = 1
NEEDS = "0.1.0"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS written_format (only_one BIGINT PRIMARY KEY, format BIGINT NOT NULL, needs TEXT NOT NULL);
"""


class WrittenByNewer(Exception):
    """The data is of a newer Okno; the text says which."""


def mark(tx: Transaction) -> None:
    """Write down that the data may be in this format from now on; data without a mark is in it. Raises WrittenByNewer.

    To be called in the transaction that creates tables, before anything else is written.
    """
    tx.script(_SCHEMA)
    found = tx.row("SELECT format, needs FROM written_format")
    if found:
        refuse_newer("this installation", *found)
    if not found or found[0] < FORMAT:
        tail = "ON CONFLICT (only_one) DO UPDATE SET format = excluded.format, needs = excluded.needs"
        tx.insert_many("written_format", ("only_one", "format", "needs"), [(1, FORMAT, NEEDS)], tail)


def refuse_newer(what: str, written: int, needs: str) -> None:
    """Raises WrittenByNewer where `what` is of a format that only newer versions know."""
    if written > FORMAT:
        raise WrittenByNewer(
            f"{what} was written by a newer Okno: start version {needs} or newer (format {written}; this one knows"
            f" {FORMAT}), nothing was changed"
        )
