"""The columns of a table, and those that tell its rows apart."""

from __future__ import annotations

from dataclasses import dataclass

from shared.database.protocol import Transaction

_KEY = """
SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
WHERE i.indrelid = ?::regclass AND i.indisprimary
"""
_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


@dataclass(frozen=True, slots=True)
class Columns:
    """All columns in their order; `key`: the primary key, empty when the table has none."""

    names: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name not in self.key)


def columns_of(tx: Transaction, table: str) -> Columns:
    """Return the columns of a table that exists."""
    if tx.dialect == "sqlite":
        rows = tx.rows(f"PRAGMA table_info({table})")
        return Columns(tuple(row[1] for row in rows), tuple(row[1] for row in sorted(rows, key=_key_place) if row[5]))
    names = tuple(name for (name,) in tx.rows(_COLUMNS, (table,)))
    return Columns(names, tuple(name for (name,) in tx.rows(_KEY, (table,))))


def tables_like(tx: Transaction, beginning: str) -> list[str]:
    """Return the tables whose names begin so, in the order of their names, without what belongs to a virtual one."""
    sql = (
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')"
        if tx.dialect == "sqlite"
        else "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    return sorted(name for (name,) in tx.rows(sql) if name.startswith(beginning))


def _key_place(row: tuple[object, ...]) -> int:
    return int(str(row[5]))
