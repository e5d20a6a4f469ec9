"""A few streams' past, shown by the same code as the present: their events up to then in tables in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from shared.database.protocol import Transaction
from shared.database.sqlite_transaction import SqliteTransaction
from shared.domain.events import Recorded
from shared.read_models import live


@contextmanager
def tables_of(
    events: Sequence[Recorded],
    without: Collection[str] = (),
    prepare: Callable[[Transaction], None] = lambda tx: None,
    *,
    apart: bool = False,
) -> Iterator[Transaction]:
    """Yield a transaction whose read models contain exactly these events; queries work on it as on the live one.

    `without`: models that stay empty, because nobody will ask them. `prepare` puts in what the events go on from.
    `apart`: also those that follow the log by themselves.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        transaction = SqliteTransaction(connection)
        models = [model for name, model in live.models().items() if apart or not live.is_apart(name)]
        for model in models:
            transaction.script(model.schema(""))
        prepare(transaction)
        for model in models:
            if model.name not in without:
                model.apply(transaction, events, "")
            transaction.script(model.indexes(""))
        yield transaction
    finally:
        connection.close()
