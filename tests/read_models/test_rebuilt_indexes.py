"""The indexes of rebuilt tables: made last, but for those by which the rebuild itself finds what it changes."""

from __future__ import annotations

import re

import pytest

from services.projector.rebuild import Wanted, rebuild
from shared.database.protocol import Database, Transaction
from shared.event_store.store import EventStore
from shared.progress import Progress
from tests.read_models.contents import EVERY_TABLE, show
from tests.read_models.lived import life
from tests.read_models.test_read_models import record


@pytest.mark.parametrize("moves", [False, True])
async def test_rebuilt_tables_have_the_indexes_of_the_live_ones(
    database: Database, store: EventStore, moves: bool
) -> None:
    """Also the one that is made at the first message that was moved, which is found by it."""
    steps = [("message", 0, 1), ("message", 1, 2), *[("move", 0, 1)] * moves, ("message", 2, 3)]
    await record(store, life(steps))
    await show(database)
    before, filled = await database.read(indexes), list[bool]()

    def watch(progress: Progress) -> None:
        if progress.step == "events":
            with database.reading() as tx:
                filled.append("(conversation_id, position)" in "".join(definitions(tx, "g1_timeline")))

    outcome = await rebuild(database, Wanted(), watch)
    assert [compared for compared in outcome if not compared.equal] == []
    assert filled == [moves]
    assert await database.read(indexes) == before
    of_key = int(database.dialect == "postgres")
    assert (len(before["timeline"]), len(before["timeline_changes"])) == (5 + of_key, 1 + of_key)


def indexes(tx: Transaction) -> dict[str, list[str]]:
    return {table: definitions(tx, table) for table in EVERY_TABLE}


def definitions(tx: Transaction, table: str) -> list[str]:
    """Return the definitions of a table's indexes, but for the prefixes in names."""
    sql = (
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL AND tbl_name = ?"
        if tx.dialect == "sqlite"
        else "SELECT indexdef FROM pg_indexes WHERE tablename = ?"
    )
    return sorted(re.sub(r'\bg\d+_|"|IF NOT EXISTS ', "", definition) for (definition,) in tx.rows(sql, (table,)))
