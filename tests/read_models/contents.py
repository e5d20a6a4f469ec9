"""Everything that stands in the read models, to be compared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from shared.database.protocol import Row, Transaction
from shared.database.sqlite import SqliteTransaction
from shared.read_models import live

TABLES = sorted(table for model in live.models().values() for table in model.tables)


def contents(tx: Transaction) -> dict[str, list[Row]]:
    return {table: sorted(tx.rows(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


@contextmanager
def empty_tables() -> Iterator[Transaction]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    transaction = SqliteTransaction(connection)
    for model in live.models().values():
        transaction.script(model.schema(""))
    yield transaction
    connection.close()
