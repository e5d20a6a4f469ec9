"""Much work beside the live path: whole or not at all, and nobody waits for it longer than it writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.database.columns import Columns, columns_of, tables_like
from shared.database.drop import drop_gradually
from shared.database.protocol import Aside, Conflict, Database, Occupied
from shared.database.schema import create_tables

SCHEMA = "CREATE TABLE IF NOT EXISTS heaps (id TEXT PRIMARY KEY, n BIGINT)"


@pytest_asyncio.fixture
async def aside(database: Database) -> AsyncIterator[Aside]:
    create_tables(database, [SCHEMA])
    with database.aside() as opened:
        yield opened


def _all(database: Database) -> list[tuple[str, int]]:
    with database.reading() as tx:
        return tx.rows("SELECT id, n FROM heaps ORDER BY id")


async def test_what_is_kept_back_is_there_for_whoever_asks(database: Database, aside: Aside) -> None:
    with aside.writing() as tx:
        tx.insert_many("heaps", ("id", "n"), [("a", 1), ("b", 2)])
        assert tx.rows("SELECT id FROM heaps ORDER BY id") == [("a",), ("b",)]
        tx.run_many("UPDATE heaps SET n = ? WHERE id = ?", [(3, "a")])
        assert tx.row("SELECT n FROM heaps WHERE id = 'a'") == (3,)
        tx.run_many("UPDATE heaps SET n = ? WHERE id = ?", iter([(4, "b")]))
        assert tx.rows_in("SELECT n FROM heaps WHERE id", ["b"]) == [(4,)]
        tx.insert_many("heaps", ("id", "n"), [("c", 5)])
        assert tx.run("UPDATE heaps SET n = n + 1 WHERE id = 'c'") == 1
        tx.script("CREATE INDEX heaps_n ON heaps (n)")
    assert _all(database) == [("a", 3), ("b", 4), ("c", 6)]
    with aside.reading() as tx:
        assert tx.rows("SELECT n FROM heaps ORDER BY n") == [(3,), (4,), (6,)]


async def test_a_failure_leaves_nothing(database: Database, aside: Aside) -> None:
    def fail() -> None:
        with aside.writing() as tx:
            tx.insert_many("heaps", ("id", "n"), [("a", 1)])
            tx.run("UPDATE heaps SET n = 2")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(Conflict), aside.writing() as tx:
        tx.insert_many("heaps", ("id", "n"), [("a", 1), ("a", 2)])
    assert _all(database) == []
    with aside.writing() as tx:
        tx.insert_many("heaps", ("id", "n"), [("a", 1)])
    assert _all(database) == [("a", 1)]


async def test_others_write_while_a_batch_is_being_made(database: Database, aside: Aside) -> None:
    assert not aside.in_the_way()
    with aside.writing() as tx:
        tx.insert_many("heaps", ("id", "n"), [("a", 1)])
        async with asyncio.timeout(20):
            await database.write(lambda other: other.run("INSERT INTO heaps VALUES ('b', 2)"))
    assert aside.in_the_way() == (database.dialect == "sqlite")
    assert _all(database) == [("a", 1), ("b", 2)]


async def test_a_big_table_is_dropped_little_by_little(database: Database, aside: Aside) -> None:
    with aside.writing() as tx:
        tx.insert_many("heaps", ("id", "n"), [(f"{n:05}", n) for n in range(3000)])
    steps: list[int] = []
    drop_gradually(aside, "heaps", lambda: steps.append(len(_all(database))))
    assert steps == sorted(steps, reverse=True)
    assert len(steps) > 1 or database.dialect == "postgres"
    drop_gradually(aside, "heaps", lambda: None)
    with database.reading() as tx:
        assert tables_like(tx, "heaps") == []


async def test_only_one_does_it_at_a_time(database: Database) -> None:
    async with database.sole("work"):
        with pytest.raises(Occupied):
            async with database.sole("work"):
                raise AssertionError
        async with database.sole("other"):
            pass
    async with database.sole("work"):
        pass


async def test_the_columns_of_a_table_and_its_key(database: Database) -> None:
    create_tables(database, [SCHEMA, "CREATE TABLE pairs (n BIGINT, b TEXT, a TEXT, PRIMARY KEY (a, b))"])
    create_tables(database, ["CREATE TABLE rows_only (a TEXT)"])
    with database.reading() as tx:
        assert columns_of(tx, "heaps") == Columns(("id", "n"), ("id",))
        pairs = columns_of(tx, "pairs")
        assert (pairs.names, set(pairs.key), pairs.others) == (("n", "b", "a"), {"a", "b"}, ("n",))
        assert columns_of(tx, "rows_only") == Columns(("a",), ())
