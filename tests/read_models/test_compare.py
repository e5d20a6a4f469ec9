"""Two tables compared: by their keys, or row by row where there is none."""

from __future__ import annotations

from shared.database.protocol import Database
from shared.database.schema import create_tables
from shared.read_models.compare import Compared, Difference, compare


def _compared(database: Database, columns: str, live: list[str], rebuilt: list[str], shown: int = 10) -> Compared:
    with database.writing() as tx:
        for table, rows in (("t", live), ("r", rebuilt)):
            tx.run(f"CREATE TABLE {table} ({columns})")
            for row in rows:
                tx.run(f"INSERT INTO {table} VALUES ({row})")
    with database.reading() as tx:
        return compare(tx, "t", "r", shown)


async def test_null_is_a_value_like_others(database: Database) -> None:
    found = _compared(database, "a TEXT PRIMARY KEY, b TEXT", ["'1', NULL", "'2', NULL"], ["'1', 'x'", "'2', NULL"])
    assert found == Compared("t", 2, 0, 0, 1, (Difference("t", {"a": "1"}, "changed", "b", None, "x"),))


async def test_only_the_first_differing_rows_are_named(database: Database) -> None:
    live, rebuilt = ([f"'{n}', {n + more}, 0" for n in range(20)] for more in (0, 1))
    found = _compared(database, "a TEXT PRIMARY KEY, b BIGINT, c BIGINT", live, rebuilt, 3)
    assert (found.changed, len(found.differences), found.equal) == (20, 3, False)


async def test_rows_without_a_key_are_compared_as_wholes(database: Database) -> None:
    found = _compared(database, "a TEXT", ["'1'", "'2'"], ["'2'", "'3'", "'4'"])
    assert (found.only_live, found.only_rebuilt, found.changed) == (1, 2, 0)
    assert next((each.what, each.key) for each in found.differences) == ("only_live", {"a": "1"})


async def test_a_row_that_is_there_twice_is_found(database: Database) -> None:
    found = _compared(database, "a TEXT", ["'1'"], ["'1'", "'1'"])
    assert (found.equal, found.only_live, found.only_rebuilt) == (False, 0, 1)


async def test_other_columns_cannot_be_compared(database: Database) -> None:
    create_tables(database, ["CREATE TABLE t (a TEXT PRIMARY KEY)", "CREATE TABLE r (a TEXT PRIMARY KEY, b TEXT)"])
    with database.reading() as tx:
        assert compare(tx, "t", "r", 10) == Compared("t", 0, incomparable="its columns are others now")


async def test_a_table_of_keys_alone(database: Database) -> None:
    found = _compared(database, "a TEXT PRIMARY KEY", ["'1'", "'2'"], ["'1'"])
    assert found == Compared("t", 1, 1, 0, 0, (Difference("t", {"a": "2"}, "only_live", None, {"a": "2"}, None),))
