"""Built anew beside the live ones, compared, and switched while messages flow."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from functools import partial

import pytest

from services.projector import rebuild as rebuilding
from services.projector import rebuild_part
from services.projector.follow import follow
from services.projector.rebuild import Wanted, drop_abandoned, drop_left, rebuild, rebuild_outdated
from shared.clock import now
from shared.database.protocol import Database, Occupied, Transaction
from shared.database.sqlite_aside import SqliteAside
from shared.event_store.log import head, read_log
from shared.event_store.store import EventStore
from shared.progress import Progress
from shared.read_models import live, rebuilds
from shared.read_models.compare import Compared, Difference
from shared.read_models.rebuilds import Overtaken
from tests.read_models.contents import EVERY_TABLE, TABLES, contents, show
from tests.read_models.test_read_models import long_history, record
from tests.services.fakes import until
from tests.services.projector.running import running


class Broken(Exception):
    """A crash as a test makes it."""


class Watched:
    """Keeps what it is told, and breaks the rebuild off at a step."""

    def __init__(self, breaks_at: str = "", after: int = 0) -> None:
        self.told: list[Progress] = []
        self._breaks_at, self._after = breaks_at, after

    def __call__(self, progress: Progress) -> None:
        self.told.append(progress)
        if progress.step.startswith(self._breaks_at) and self._breaks_at and progress.done >= self._after:
            raise Broken


async def leftovers(database: Database) -> list[str]:
    def names(tx: Transaction) -> list[str]:
        sql = (
            "SELECT name FROM pragma_table_list WHERE type IN ('table', 'virtual')"
            if tx.dialect == "sqlite"
            else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        return sorted(name for (name,) in tx.rows(sql) if name.startswith("g") and "_" in name)

    return await database.read(names)


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild_part, "BATCH", 20)
    monkeypatch.setattr(rebuild_part, "GATHERED", 1)


async def test_rebuilt_tables_equal_the_live_ones_twice_over(database: Database, store: EventStore) -> None:
    await record(store, long_history())
    await show(database)
    before, watched = await database.read(contents), Watched()
    for _ in range(2):
        outcome = await rebuild(database, Wanted(), watched)
        assert sorted(compared.table for compared in outcome) == EVERY_TABLE
        assert [compared for compared in outcome if not compared.equal or compared.incomparable] == []
        rows = {compared.table: compared.rows for compared in outcome if compared.table in TABLES}
        assert rows == {table: len(rows) for table, rows in before.items()}
    assert await database.read(contents) == before
    events = [progress for progress in watched.told if progress.step == "events"]
    assert (events[-1].done, events[-1].total) == (await database.read(head),) * 2
    assert await leftovers(database) == []


async def test_the_rebuilt_tables_take_in_what_comes_after(database: Database, store: EventStore) -> None:
    events = long_history()
    await record(store, events[:200])
    await show(database)
    await rebuild(database, Wanted(["conversations", "timeline"]))
    await record(store, events[200:])
    await show(database)
    assert all(compared.equal for compared in await rebuild(database, Wanted(switch=False)))


@pytest.mark.parametrize("switch", [True, False])
async def test_a_table_that_was_changed_by_hand_is_found(database: Database, store: EventStore, switch: bool) -> None:
    await record(store, long_history(100))
    await show(database)
    before = await database.read(contents)
    await database.write(lambda tx: tx.run("UPDATE timeline SET body = '{}', kind = 'odd' WHERE position = 3"))
    await database.write(lambda tx: tx.run("DELETE FROM customers"))
    outcome = {each.table: each for each in await rebuild(database, Wanted(switch=switch, shown=1))}
    (was,) = [row for row in before["timeline"] if row[0] == 3]
    assert outcome["timeline"] == Compared(
        "timeline", len(before["timeline"]), 0, 0, 1,
        (
            Difference("timeline", {"position": 3}, "changed", "kind", "odd", was[4]),
            Difference("timeline", {"position": 3}, "changed", "body", "{}", was[9]),
        ),
    )  # fmt: skip
    customers = outcome["customers"]
    assert (customers.only_live, customers.only_rebuilt, customers.changed) == (0, len(before["customers"]), 0)
    (missing,) = customers.differences
    assert (missing.what, missing.live, missing.column) == ("only_rebuilt", None, None)
    assert tuple(missing.rebuilt.values()) in before["customers"]
    assert outcome["conversations"].equal
    assert (await database.read(contents) == before) == switch


async def test_a_row_that_should_not_be_there_is_found(database: Database, store: EventStore) -> None:
    await record(store, long_history(100))
    await show(database)
    await database.write(lambda tx: tx.insert_many("open_calls", ("message_id", "conversation_id", "seen_at"), [ROW]))
    (outcome,) = await rebuild(database, Wanted(["open_calls"], switch=False))
    assert (outcome.only_live, outcome.only_rebuilt, outcome.changed) == (1, 0, 0)
    values = dict(zip(("message_id", "conversation_id", "seen_at"), ROW, strict=True))
    assert outcome.differences == (Difference("open_calls", {"message_id": "m"}, "only_live", None, values, None),)


ROW = ("m", "c", "2026-11-21T14:05:00.000000Z")


async def test_a_rebuild_while_messages_flow_loses_none(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    events = long_history(500)
    await record(store, events[:200])
    await show(database)

    async def flow() -> None:
        for start in range(200, len(events), 10):
            await record(store, events[start : start + 10])
            await asyncio.sleep(0.005)

    async with running(follow(database, store)):
        flowing = asyncio.create_task(flow())
        outcomes = [await rebuild(database, Wanted()) for _ in range(3)]
        await flowing
        await until(partial(_is_shown, database))
    assert all(compared.equal for outcome in outcomes for compared in outcome)
    assert all(compared.equal for compared in await rebuild(database, Wanted(switch=False)))


@pytest.mark.parametrize("step", ["comparing conversations", "switching"])
async def test_what_comes_at_the_last_moment_is_in_the_new_tables(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    small_batches(monkeypatch)
    await record(store, long_history(400))
    events = await database.read(lambda tx: read_log(tx, 0, 1000))
    await database.write(partial(live.take_in, events=events[:200]))

    def arrive(progress: Progress) -> None:
        if progress.step == step:
            with database.writing() as tx:
                live.take_in(tx, events[200:])

    assert all(compared.equal for compared in await rebuild(database, Wanted(), arrive))
    assert (await database.read(live.position)) == events[-1].position
    after = await database.read(contents)
    assert all(compared.equal for compared in await rebuild(database, Wanted()))
    assert await database.read(contents) == after


async def _is_shown(database: Database) -> bool:
    return await database.read(live.position) == await database.read(head)


async def test_of_two_rebuilds_at_once_one_is_told_that_another_runs(database: Database, store: EventStore) -> None:
    await record(store, long_history(100))
    await show(database)
    goes_on = threading.Event()
    first = asyncio.create_task(rebuild(database, Wanted(), lambda _: goes_on.wait(30) and None))
    await until(partial(_is_begun, database))
    for other in (rebuild(database, Wanted()), drop_left(database)):
        with pytest.raises(Occupied):
            await other
    goes_on.set()
    assert all(compared.equal for compared in await first)
    assert await leftovers(database) == []


async def _is_begun(database: Database) -> bool:
    return await leftovers(database) != []


@pytest.mark.parametrize(("step", "after"), [("events", 60), ("indexes", 1), ("comparing timeline", 1)])
async def test_a_rebuild_that_was_broken_off_goes_on_where_it_was(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch, step: str, after: int
) -> None:
    small_batches(monkeypatch)
    await record(store, long_history())
    await show(database)
    before, total = await database.read(contents), await database.read(head)
    with pytest.raises(Broken):
        await rebuild(database, Wanted(), Watched(step, after))
    left = await leftovers(database)
    assert len(left) == len(EVERY_TABLE)
    watched = Watched()
    outcome = await rebuild(database, Wanted(), watched)
    assert all(compared.equal for compared in outcome)
    events = [progress for progress in watched.told if progress.step == "events"]
    assert [progress.before for progress in events][:1] == ([after] if step == "events" else [])
    assert events == [] or (events[0].done, events[-1].done) == (after + 20, total)
    assert await database.read(contents) == before
    assert await leftovers(database) == []


async def test_what_was_gathered_and_not_written_when_it_was_broken_off_is_gathered_again(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    monkeypatch.setattr(rebuild_part, "GATHERED", 30)
    monkeypatch.setattr(SqliteAside, "in_the_way", lambda self: False)  # the test itself has written a moment ago
    await record(store, long_history())
    await show(database)
    before = await database.read(contents)
    with pytest.raises(Broken):
        await rebuild(database, Wanted(), Watched("events", 140))
    at = await database.read(rebuilds.positions)
    assert 0 < at["conversations"] < at["timeline"] == 140
    outcome = await rebuild(database, Wanted())
    assert all(compared.equal for compared in outcome)
    assert await database.read(contents) == before


@pytest.mark.parametrize("wanted", [Wanted(["timeline"]), Wanted(afresh=True)])
async def test_what_is_left_of_another_rebuild_is_dropped(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch, wanted: Wanted
) -> None:
    small_batches(monkeypatch)
    await record(store, long_history(100))
    await show(database)
    with pytest.raises(Broken):
        await rebuild(database, Wanted(), Watched("events", 40))
    watched = Watched()
    assert all(compared.equal for compared in await rebuild(database, wanted, watched))
    assert next(progress.before for progress in watched.told if progress.step == "events") == 0
    assert await leftovers(database) == []


async def test_what_was_broken_off_can_be_dropped_and_does_not_stay_for_ever(
    database: Database, store: EventStore
) -> None:
    await record(store, long_history(100))
    await show(database)
    before = await database.read(contents)
    for _ in range(2):
        with pytest.raises(Broken):
            await rebuild(database, Wanted(), Watched("indexes", 1))
        left = await leftovers(database)
        assert await drop_abandoned(database, now()) == []
        assert await leftovers(database) == left
        dropped = await drop_left(database) if _ else await drop_abandoned(database, now() + timedelta(hours=25))
        assert sorted(dropped) == left
        assert await leftovers(database) == []
    assert await database.read(contents) == before
    assert await drop_left(database) == await drop_abandoned(database, now()) == []


async def test_a_rebuild_that_another_has_taken_up_stops(database: Database, store: EventStore) -> None:
    """A lock that was lost, or a process taken for dead that lives on, must not fill the tables twice."""
    await record(store, long_history(100))
    await show(database)

    def take_over(progress: Progress) -> None:
        with database.writing() as tx:
            tx.run("UPDATE read_model_rebuilds SET owner = 'another'")

    with pytest.raises(Overtaken):
        await rebuild(database, Wanted(), take_over)
    assert all(compared.equal for compared in await rebuild(database, Wanted()))


async def test_a_cancelled_rebuild_ends_and_can_be_resumed(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    await record(store, long_history())
    await show(database)
    begun = threading.Event()
    task = asyncio.create_task(rebuild(database, Wanted(), lambda _: begun.set()))
    await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(compared.equal for compared in await rebuild(database, Wanted()))


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


async def test_outdated_tables_wait_for_the_rebuild_that_runs(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "AGAIN_SECONDS", 0.01)
    await record(store, long_history(50))
    await show(database)
    await database.write(lambda tx: tx.run("UPDATE read_model_positions SET version = 0 WHERE name = 'customers'"))
    async with database.sole("rebuild"):
        waiting = asyncio.create_task(rebuild_outdated(database))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting
    standings = await database.read(live.standings)
    assert standings["customers"].version == live.models()["customers"].version


async def test_a_model_that_is_behind_is_rebuilt_as_far_as_it_is(database: Database, store: EventStore) -> None:
    """One that was added to a history begins at its start."""
    await record(store, long_history(100))
    await show(database)
    before = await database.read(contents)

    def put_back(tx: Transaction) -> None:
        tx.run("DELETE FROM steps")
        tx.run("DELETE FROM customers")
        live.move(tx, ["customers"], 0)

    await database.write(put_back)
    assert all(compared.equal for compared in await rebuild(database, Wanted()))
    await show(database)
    assert await database.read(contents) == before


async def test_an_unknown_name_is_refused(database: Database, store: EventStore) -> None:
    with pytest.raises(KeyError):
        await rebuild(database, Wanted(["nothing"]))
