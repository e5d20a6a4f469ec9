"""A key store on a PostgreSQL of its own: what a process that died left has old keys and goes at the next start."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from shared.database import postgres_rewrite
from shared.database.open import open_database
from shared.keys.items import ItemKeys
from shared.keys.ring import KeyRing
from shared.keys.wire import WireKeys

pytestmark = pytest.mark.cluster
SECRET = b"s" * 32
KINDS = [KeyRing, WireKeys, ItemKeys]
LEFT = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'okno_anew'"


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_dead_rewriting_of_keys_left_is_thrown_away(
    kind: Callable[..., KeyRing | WireKeys | ItemKeys], database_url: str
) -> None:
    database = open_database(database_url)
    try:
        keys = kind(database, SECRET)
        keys.create_tables()
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS key_pages (id BYTEA PRIMARY KEY, sealed BYTEA NOT NULL)")
            postgres_rewrite._begin(connection, "key_pages", ["id"])
            assert connection.execute(LEFT).fetchall() == [("key_pages",)]
            keys.create_tables()
            assert connection.execute(LEFT).fetchall() == []
    finally:
        await database.close()
