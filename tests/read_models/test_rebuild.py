"""Built anew beside the live ones, compared, and switched while messages flow."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from services.projector import rebuild as rebuilding
from services.projector.follow import follow
from services.projector.rebuild import rebuild, rebuild_outdated
from shared.database.protocol import Database, Transaction
from shared.event_store.log import head
from shared.event_store.store import EventStore
from shared.read_models import live
from tests.read_models.contents import TABLES, contents, show
from tests.read_models.test_read_models import long_history, record
from tests.services.fakes import until
from tests.services.projector.running import running


async def generations(database: Database) -> set[int]:
    return {standing.generation for standing in (await database.read(live.standings)).values()}


async def leftovers(database: Database) -> list[str]:
    def names(tx: Transaction) -> list[str]:
        sql = (
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            if tx.dialect == "sqlite"
            else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        return sorted(name for (name,) in tx.rows(sql) if name.startswith("g") and "_" in name)

    return await database.read(names)


async def test_rebuilt_tables_equal_the_live_ones_twice_over(database: Database, store: EventStore) -> None:
    await record(store, long_history())
    await show(database)
    before, drawn = await database.read(contents), []
    for _ in range(2):
        outcome = await rebuild(database, [], switch=True, progress=lambda done, total: drawn.append((done, total)))
        assert sorted(rebuilt.table for rebuilt in outcome) == TABLES
        assert all(rebuilt.equal for rebuilt in outcome)
        assert {rebuilt.table: rebuilt.rows for rebuilt in outcome} == {t: len(rows) for t, rows in before.items()}
    assert await database.read(contents) == before
    assert drawn[-1] == (await database.read(head),) * 2
    assert await leftovers(database) == []


async def test_the_rebuilt_tables_take_in_what_comes_after(database: Database, store: EventStore) -> None:
    events = long_history()
    await record(store, events[:200])
    await show(database)
    await rebuild(database, ["conversations", "timeline"], switch=True)
    await record(store, events[200:])
    await show(database)
    assert all(rebuilt.equal for rebuilt in await rebuild(database, [], switch=False))


@pytest.mark.parametrize("switch", [True, False])
async def test_a_table_that_was_changed_by_hand_is_found(database: Database, store: EventStore, switch: bool) -> None:
    await record(store, long_history(100))
    await show(database)
    before = await database.read(contents)
    await database.write(lambda tx: tx.run("UPDATE timeline SET body = '{}' WHERE position = 3"))
    await database.write(lambda tx: tx.run("DELETE FROM customers"))
    outcome = {rebuilt.table: rebuilt for rebuilt in await rebuild(database, [], switch=switch)}
    assert (outcome["timeline"].only_live, outcome["timeline"].only_rebuilt) == (1, 1)
    assert (outcome["customers"].only_live, outcome["customers"].only_rebuilt) == (0, len(before["customers"]))
    assert outcome["conversations"].equal
    assert (await database.read(contents) == before) == switch


async def test_a_rebuild_while_messages_flow_loses_none(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "BATCH", 20)
    events = long_history(500)
    await record(store, events[:200])
    await show(database)

    async def flow() -> None:
        for start in range(200, len(events), 10):
            await record(store, events[start : start + 10])
            await asyncio.sleep(0.005)

    async with running(follow(database, store)):
        flowing = asyncio.create_task(flow())
        outcomes = [await rebuild(database, [], switch=True) for _ in range(3)]
        await flowing
        await until(partial(_is_shown, database))
    assert all(rebuilt.equal for outcome in outcomes for rebuilt in outcome)
    assert all(rebuilt.equal for rebuilt in await rebuild(database, [], switch=False))


async def _is_shown(database: Database) -> bool:
    return await database.read(live.position) == await database.read(head)


async def test_two_rebuilds_at_once_both_end_well(database: Database, store: EventStore) -> None:
    await record(store, long_history(100))
    await show(database)
    before = await database.read(contents)
    outcomes = await asyncio.gather(rebuild(database, [], switch=True), rebuild(database, [], switch=True))
    assert all(rebuilt.equal for outcome in outcomes for rebuilt in outcome)
    assert await database.read(contents) == before
    assert await leftovers(database) == []


async def test_tables_of_an_older_version_are_rebuilt_at_start(database: Database, store: EventStore) -> None:
    await record(store, long_history(100))
    await show(database)
    before = await database.read(contents)

    def make_old(tx: Transaction) -> None:
        tx.run("UPDATE read_model_positions SET version = 0 WHERE name = 'customers'")
        tx.run("DROP TABLE customers")
        tx.run("CREATE TABLE customers (id TEXT PRIMARY KEY, title TEXT)")

    await database.write(make_old)
    await rebuild_outdated(database)
    assert await database.read(contents) == before
    standings = await database.read(live.standings)
    assert standings["customers"].version == live.models()["customers"].version
    generation = standings["customers"].generation
    await rebuild_outdated(database)
    assert (await database.read(live.standings))["customers"].generation == generation


async def test_what_a_killed_rebuild_left_does_no_harm(database: Database, store: EventStore) -> None:
    await record(store, long_history(100))
    await show(database)
    before = await database.read(contents)
    await rebuilding.replay(database, list(live.models()))
    left = await leftovers(database)
    assert left != []
    assert all(rebuilt.equal for rebuilt in await rebuild(database, [], switch=True))
    assert await database.read(contents) == before
    assert await leftovers(database) == left


async def test_an_unknown_model_is_refused(database: Database, store: EventStore) -> None:
    with pytest.raises(KeyError):
        await rebuild(database, ["nothing"], switch=True)
