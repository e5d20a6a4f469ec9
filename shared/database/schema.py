"""Creates tables, once and by one process at a time, however many start together."""

from __future__ import annotations

from collections.abc import Iterable

from shared.database.protocol import Database, Transaction

LOCK = 6_510_615  # "okno" has to agree with itself only


def create_tables(database: Database, schemas: Iterable[str]) -> None:
    """Run `CREATE ... IF NOT EXISTS` scripts in one transaction."""
    with database.writing() as transaction:
        lock_schema(transaction)
        if transaction.dialect == "postgres":
            from shared.database.postgres_rewrite import discard_unfinished

            discard_unfinished(transaction.connection)
        for schema in schemas:
            transaction.script(schema)


def lock_schema(transaction: Transaction) -> None:
    """Wait until no other process changes tables; SQLite's write lock does that by itself."""
    if transaction.dialect == "postgres":
        transaction.row("SELECT pg_advisory_xact_lock(?)", (LOCK,))
