"""Where a log and its keys lie: so another process can open both by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.database.open import open_database
from shared.database.protocol import Database
from shared.keys.ring import KeyRing


@dataclass(frozen=True, slots=True)
class Place:
    """The secret key is never part of a text."""

    database_url: str
    keys_url: str
    secret_key: bytes = field(repr=False)

    def open(self) -> Database:
        """Return the database with its keys, for reading. Raises DatabaseUnavailable."""
        database = open_database(self.database_url)
        database.keys = KeyRing(open_database(self.keys_url), self.secret_key)
        return database
