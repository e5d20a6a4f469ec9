"""Everything that stands in the read models, to be compared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from shared.database.protocol import Database, Row, Transaction
from shared.database.sqlite import SqliteTransaction
from shared.event_store.log import read_log
from shared.read_models import live

TABLES = sorted(table for name, model in live.models().items() if not live.is_apart(name) for table in model.tables)
"""Of the models that are as far as the log's readers are told; what follows by itself has tests of its own."""


EVERY_TABLE = sorted(table for model in live.models().values() for table in model.tables)


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


async def show(database: Database) -> None:
    """Bring the live tables to the log's head, as `follow` does."""
    while events := await database.read(lambda tx: read_log(tx, live.position(tx), 50)):
        await database.write(partial(live.take_in, events=events))
        for name in filter(live.is_apart, live.models()):
            await database.write(partial(live.take_in_apart, name=name, events=events))
