"""Creates tables, once and by one process at a time, however many start together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared.database.protocol import Database, Transaction
from shared.settings import WrongSettings

LOCK = 6_510_615  # "okno" has to agree with itself only


def create_tables(
    database: Database, schemas: Iterable[str], first: Callable[[Transaction], None] = lambda _: None
) -> None:
    """Run `CREATE ... IF NOT EXISTS` scripts in one transaction. Raises WrongSettings for an encoding but UTF8.

    `first`: what is done in it before; when that raises, nothing is written.
    """
    with database.writing() as transaction:
        lock_schema(transaction)
        if transaction.dialect == "postgres":
            _refuse_other_letters(transaction)
        first(transaction)
        if transaction.dialect == "postgres":
            from shared.database.postgres_rewrite import discard_unfinished

            discard_unfinished(transaction.connection)
        for schema in schemas:
            transaction.script(schema)


def _refuse_other_letters(transaction: Transaction) -> None:
    """SQL_ASCII, which a server that was made without a locale has, gives bytes for texts; the others lack letters."""
    ((encoding,),) = transaction.rows("SELECT pg_catalog.getdatabaseencoding()::text")
    if encoding != "UTF8":
        raise WrongSettings(
            f"the database's encoding is {encoding}, in which not every message can be kept: make another with"
            " CREATE DATABASE okno ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0"
        )


def lock_schema(transaction: Transaction) -> None:
    """Wait until no other process changes tables; SQLite's write lock does that by itself."""
    if transaction.dialect == "postgres":
        transaction.row("SELECT pg_advisory_xact_lock(?)", (LOCK,))
