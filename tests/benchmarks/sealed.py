"""Databases as every installation has them: with a key store, so that what is measured opens and seals."""

from __future__ import annotations

from shared.database.open import open_database
from shared.database.protocol import Database
from shared.keys.ring import KeyRing

SECRET = b"k" * 32


def open_sealed(url: str, keys_url: str) -> Database:
    """Return an open database whose personal content is sealed with the keys of another one."""
    database = open_database(url)
    database.keys = KeyRing(open_database(keys_url), SECRET)
    database.keys.create_tables()
    return database
