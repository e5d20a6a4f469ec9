"""A past moment, shown by the same code as the present: the events up to then, applied to tables in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from shared.database.protocol import Transaction
from shared.database.sqlite_transaction import SqliteTransaction
from shared.domain.events import Recorded
from shared.read_models import live


@contextmanager
def tables_of(events: Sequence[Recorded], *, apart: bool = False) -> Iterator[Transaction]:
    """Yield a transaction whose read models contain exactly these events; queries work on it as on the live one.

    `apart`: also those that follow the log by themselves.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        transaction = SqliteTransaction(connection)
        for model in (model for name, model in live.models().items() if apart or not live.is_apart(name)):
            transaction.script(model.schema(""))
            model.apply(transaction, events, "")
            transaction.script(model.indexes(""))
        yield transaction
    finally:
        connection.close()
