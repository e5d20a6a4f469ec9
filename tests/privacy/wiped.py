"""A database that remembers which of its tables were cleared of what was deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.privacy.stores import Stores
from shared.database.protocol import Database


class Watched:
    """Passes everything on to a database."""

    def __init__(self, database: Database) -> None:
        self._database, self.wiped = database, list[tuple[str, ...]]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def wipe(self, tables: Sequence[str]) -> None:
        self.wiped.append(tuple(tables))
        self._database.wipe(tables)


def watched(stores: Stores) -> tuple[Stores, list[tuple[str, ...]]]:
    """Return the stores, and what will be wiped of the log's database."""
    database: Any = Watched(stores.database)
    return replace(stores, database=database), database.wiped
