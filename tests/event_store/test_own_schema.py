"""A PostgreSQL user who has a schema of their own and no right to "public", as is usual since PostgreSQL 15."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import psycopg
import pytest

from services.privacy.backup import columns_of
from services.projector.rebuild import Wanted, rebuild
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.event_store.recorders import recorder_for
from tests.read_models.contents import show
from tests.read_models.test_read_models import long_history, record
from tests.stores import create_all_tables

SCHEMAS = "SELECT DISTINCT schemaname = current_user FROM pg_tables WHERE tableowner = current_user"
pytestmark = pytest.mark.cluster


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    there = urlsplit(database_url)
    role = f"owner_{there.path.lstrip('/')}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'okno'")  # type: ignore[arg-type]
        connection.execute(f"CREATE SCHEMA {role} AUTHORIZATION {role}")  # type: ignore[arg-type]
        opened = open_database(there._replace(netloc=f"{role}:okno@{there.hostname}:{there.port}").geturl())
        yield opened
        await opened.close()
        connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")  # type: ignore[arg-type]


async def test_log_and_read_models_stand_in_the_schema_of_the_user(database: Database) -> None:
    store = create_all_tables(database)
    await record(store, long_history(5))
    await show(database)
    assert all(compared.equal for compared in await rebuild(database, Wanted()))
    columns = await database.read(lambda tx: columns_of(tx, "stored_events"))
    assert columns[0] == "notification_id"
    assert len(columns) == 5
    assert await database.read(lambda tx: tx.rows(SCHEMAS)) == [(True,)]


async def test_a_log_that_stands_in_public_already_is_the_one_that_is_used(
    database: Database, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("GRANT ALL ON SCHEMA public TO PUBLIC")
        connection.execute("CREATE TABLE stored_events (originator_id uuid, originator_version bigint)")
        connection.execute("GRANT ALL ON stored_events TO PUBLIC")
    schema = await database.read(lambda tx: recorder_for(tx).datastore.schema)  # type: ignore[attr-defined]
    assert schema == "public"
