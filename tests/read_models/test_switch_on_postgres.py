"""What others have done to PostgreSQL's tables when rebuilt ones take their place: grants, parameters, views, locks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest

from services.projector import rebuild as module
from services.projector.rebuild import Wanted, rebuild
from shared.database.open import open_database
from shared.database.protocol import Database, DatabaseUnavailable
from shared.read_models import live
from tests.stores import create_all_tables

pytestmark = pytest.mark.cluster


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = open_database(database_url)
    create_all_tables(opened)
    yield opened
    await opened.close()


@pytest.fixture
def psql(database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


async def test_who_may_read_a_table_may_read_it_after_a_rebuild(
    database: Database, psql: psycopg.Connection[tuple[object, ...]]
) -> None:
    """An analyst's dashboards have a role of their own."""
    role = f"reader_{uuid4().hex}"
    psql.execute(f"CREATE ROLE {role}")  # type: ignore[arg-type]
    try:
        psql.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")  # type: ignore[arg-type]
        psql.execute("ALTER TABLE timeline SET (fillfactor = 70)")
        before, files = likeness(psql), "SELECT pg_relation_filepath('timeline'::regclass)"
        file = psql.execute(files).fetchall()  # type: ignore[arg-type]
        assert all(compared.equal for compared in await rebuild(database, Wanted()))
        assert psql.execute(files).fetchall() != file  # type: ignore[arg-type]
        assert likeness(psql) == before
    finally:
        psql.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")  # type: ignore[arg-type]


def likeness(psql: psycopg.Connection[tuple[object, ...]]) -> list[tuple[object, ...]]:
    sql = "SELECT relname, relacl::text, reloptions FROM pg_class WHERE relname = ANY(%s) ORDER BY relname"
    return psql.execute(sql, (sorted(tables()),)).fetchall()


def tables() -> set[str]:
    return {table for model in live.models().values() for table in model.tables}


async def test_a_view_that_is_in_the_way_is_named_and_once_it_is_gone_the_rebuild_goes_on(
    database: Database, psql: psycopg.Connection[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWITCH_TRIES", 2)
    psql.execute("CREATE VIEW by_day AS SELECT count(*) FROM timeline")
    with pytest.raises(DatabaseUnavailable, match="view by_day depends on table timeline"):
        await rebuild(database, Wanted(["timeline"]))
    psql.execute("DROP VIEW by_day")
    assert all(compared.equal for compared in await rebuild(database, Wanted(["timeline"])))


async def test_a_transaction_that_does_not_end_is_named_as_what_is_in_the_way(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWITCH_TRIES", 2)
    with psycopg.connect(database_url) as reading:
        reading.execute("SELECT count(*) FROM timeline")
        with pytest.raises(DatabaseUnavailable, match="in use by a transaction of somebody else"):
            await rebuild(database, Wanted(["timeline"]))
    assert all(compared.equal for compared in await rebuild(database, Wanted(["timeline"])))
