"""Drops big tables a little at a time: SQLite reads every page of a table that is dropped, and writers wait for it."""

from __future__ import annotations

from collections.abc import Callable

from shared.database.protocol import Aside, Transaction

FIRST_ROWS = 200
HOLD_SECONDS = 0.004
SQLITE_OBJECTS = """
SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
ORDER BY type <> 'view', sql NOT LIKE 'CREATE VIRTUAL %', name
"""
"""What a file has, in the order in which it can be dropped: the tables of a full text go with the full text, which
cannot be dropped any more once they are gone (sqlite.org/fts5.html, "FTS5 Data Structures")."""


def drop_gradually(aside: Aside, table: str, goes_on: Callable[[], None]) -> None:
    """Drop a table, if it is there. `goes_on` is called between the steps and may raise to break it off."""
    with aside.reading() as tx:
        by_rows = _has_rowids(tx, table)
    rows = FIRST_ROWS
    while by_rows:
        goes_on()
        with aside.writing() as tx:
            sql = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY rowid LIMIT {rows})"
            by_rows = tx.run(sql) == rows
        held = max(aside.held_seconds(), HOLD_SECONDS / 2)
        rows = max(FIRST_ROWS // 10, min(FIRST_ROWS * 50, int(rows * HOLD_SECONDS / held)))
    with aside.writing() as tx:
        tx.run(f"DROP TABLE IF EXISTS {table}")


def _has_rowids(tx: Transaction, table: str) -> bool:
    """Whether it is an ordinary table of SQLite; what belongs to a virtual one goes with that."""
    if tx.dialect != "sqlite":
        return False
    row = tx.row("SELECT wr FROM pragma_table_list WHERE name = ? AND type = 'table'", (table,))
    return row is not None and row[0] == 0
