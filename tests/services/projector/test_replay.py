"""An analyst's projection over history, with tables of its own, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.privacy import replays
from services.projector import replay as replaying
from services.projector.projection import BrokenProjection, Projection, load
from services.projector.replay import OtherProjection, Replay
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.event_store.log import read_log
from shared.event_store.moments import position_before
from shared.event_store.store import EventStore
from shared.progress import Progress
from tests.examples import AT, Clock
from tests.read_models.histories import Step, history
from tests.read_models.test_read_models import long_history, record
from tests.services.fakes import until
from tests.services.projector.running import running
from tests.stores import create_all_tables

EXAMPLES = Path(__file__).parents[3] / "deploy" / "projections"
COUNT = """
class Count:
    schema = "CREATE TABLE counts (type TEXT PRIMARY KEY, number BIGINT NOT NULL)"
    query = "SELECT type, number FROM counts ORDER BY type"

    def apply(self, db, recorded):
        sql = "INSERT INTO counts VALUES (?, 1) ON CONFLICT (type) DO UPDATE SET number = counts.number + 1"
        db.run(sql, (type(recorded.event).__name__,))
"""


def written(folder: Path, text: str, name: str = "Count") -> Projection:
    file = folder / "mine.py"
    file.write_text(text)
    return load(f"{file}:{name}")


@asynccontextmanager
async def replay_of(projection: Projection, database: Database, folder: Path) -> AsyncIterator[Replay]:
    """Into the database itself on PostgreSQL, else into a file."""
    if database.dialect == "postgres":
        yield Replay(projection, database, database)
        return
    target = open_database(f"sqlite:///{folder / 'mine.db'}")
    try:
        yield Replay(projection, database, target)
    finally:
        await target.close()


async def run(replay: Replay, **wanted: Any) -> list[tuple[Any, ...]]:
    """Return what the projection's query shows after a run."""
    until = wanted.pop("until", None)
    position = await replay.begin(wanted.pop("since", None), restart=wanted.pop("restart", False))
    await replay.run(position, until)
    return await asyncio.to_thread(lambda: replay.select(replay.projection.query)[1])


def counted(events: list[Any]) -> list[tuple[str, int]]:
    names = [type(recorded.event).__name__ for recorded in events]
    return sorted((name, names.count(name)) for name in set(names))


async def test_it_is_run_over_all_history_and_goes_on_from_there(
    database: Database, store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "BATCH", 30)
    events = long_history(200)
    projection = written(tmp_path, COUNT)
    await record(store, events[:100])
    async with replay_of(projection, database, tmp_path) as replay:
        assert await run(replay) == counted(events[:100])
    await record(store, events[100:])
    async with replay_of(projection, database, tmp_path) as replay:
        assert await run(replay) == counted(events)
        position = await replay.begin(None, restart=False)
        assert (position, await replay.run(position, None)) == (len(events), len(events))


async def test_a_part_of_history_by_the_time_it_was_recorded(database: Database, tmp_path: Path) -> None:
    create_all_tables(database)
    clock, events = Clock(AT), long_history(90)
    store, moments = EventStore(database, clock), []
    for start in range(0, len(events), 30):
        moments.append(clock.forward(60) or clock.at)
        await record(store, events[start : start + 30])
    projection = written(tmp_path, COUNT)
    async with replay_of(projection, database, tmp_path) as replay:
        for since, until, expected in (
            (None, moments[0], events[:30]),
            (moments[1], moments[1], events[30:60]),
            (moments[2], None, events[60:]),
        ):
            shown = await run(replay, since=since, until=until, restart=True)
            assert shown == counted(expected)
        assert await run(replay, since=moments[1], until=moments[1], restart=True) == counted(events[30:60])
        assert await run(replay) == counted(events[30:])
        with pytest.raises(OtherProjection, match="--restart"):
            await run(replay, since=moments[2])
    found = [await database.read(partial(position_before, at=moment)) for moment in moments]
    assert [(await database.read(partial(read_log, after=p, limit=1)))[0].recorded_at for p in found] == moments


async def test_changed_code_begins_anew_only_when_told_to(
    database: Database, store: EventStore, tmp_path: Path
) -> None:
    events = long_history(50)
    await record(store, events)
    async with replay_of(written(tmp_path, COUNT), database, tmp_path) as replay:
        await run(replay)
    changed = written(tmp_path, COUNT.replace("VALUES (?, 1)", "VALUES (?, 1001)"))
    async with replay_of(changed, database, tmp_path) as replay:
        with pytest.raises(OtherProjection, match=r"count has changed .* position \d+: --restart makes them anew"):
            await run(replay)
        assert await run(replay, restart=True) == [(name, number + 1000) for name, number in counted(events)]


@pytest.mark.parametrize("any_url", ["sqlite"], indirect=True)
async def test_a_full_text_is_made_anew_like_any_table(database: Database, store: EventStore, tmp_path: Path) -> None:
    events = long_history(20)
    await record(store, events)
    said = """
class Said:
    schema = "CREATE VIRTUAL TABLE said USING fts5 (type)"
    query = "SELECT count(*) FROM said"

    def apply(self, db, recorded):
        db.run("INSERT INTO said VALUES (?)", (type(recorded.event).__name__,))
"""
    for restart in (False, True, True):
        async with replay_of(written(tmp_path, said, "Said"), database, tmp_path) as replay:
            assert await run(replay, restart=restart) == [(len(events),)]


async def test_a_failure_in_apply_names_line_and_position_and_loses_nothing(
    database: Database, store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "BATCH", 10)
    events = long_history(60)
    await record(store, events)
    broken = COUNT.replace(
        "        sql =", "        {}[recorded.position] if recorded.position == 35 else 0\n        sql ="
    )
    async with replay_of(written(tmp_path, broken), database, tmp_path) as replay:
        for _ in range(2):
            with pytest.raises(BrokenProjection) as failed:
                await run(replay)
            kind = type(events[34].event).__name__
            place = f"{tmp_path / 'mine.py'}, line 7: KeyError: 35 (at position 35, {kind}; the tables stand at 30"
            assert str(failed.value) == f"{place} as before)"
            assert replay.select(replay.projection.query)[1] == counted(events[:30])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("INSERT INTO counts", "INSERT INTO nothing", "mine.py, line 8: "),
        ("CREATE TABLE counts", "CREATE TABEL counts", "mine.py: its schema: "),
    ],
)
async def test_wrong_sql_is_told(
    database: Database, store: EventStore, tmp_path: Path, old: str, new: str, said: str
) -> None:
    await record(store, long_history(5))
    async with replay_of(written(tmp_path, COUNT.replace(old, new)), database, tmp_path) as replay:
        with pytest.raises(BrokenProjection, match=said):
            await run(replay)


@pytest.mark.parametrize("ending", ["COMMIT", " rollback", "ROLLBACK TRANSACTION", "end"])
async def test_apply_cannot_end_the_transaction_it_is_part_of(
    database: Database, store: EventStore, tmp_path: Path, ending: str
) -> None:
    await record(store, long_history(5))
    ends = f"{COUNT}        db.run('SAVEPOINT a'); db.run('ROLLBACK TO a'); db.run('{ending}')\n"
    async with replay_of(written(tmp_path, ends), database, tmp_path) as replay:
        with pytest.raises(BrokenProjection, match=r"line 9: ValueError: .* would end .*the tables stand at 0 as bef"):
            await run(replay)
        assert replay.select(replay.projection.query)[1] == []


@pytest.mark.parametrize("any_url", ["sqlite"], indirect=True)
async def test_tables_of_another_projection_are_not_taken_for_its_own(
    database: Database, store: EventStore, tmp_path: Path
) -> None:
    await record(store, long_history(5))
    second = COUNT.replace("class Count", "class Second").replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")
    async with replay_of(written(tmp_path, COUNT), database, tmp_path) as replay:
        shown = await run(replay)
        another = Replay(written(tmp_path, second, "Second"), database, replay.target)
        with pytest.raises(BrokenProjection, match="makes no table that is not there already"):
            await run(another)
        assert await run(replay) == shown


@pytest.mark.parametrize("any_url", ["sqlite"], indirect=True)
async def test_a_schema_may_have_comments_texts_and_triggers_with_semicolons(
    database: Database, store: EventStore, tmp_path: Path
) -> None:
    events = long_history(20)
    await record(store, events)
    text = '''schema = """
    -- by type; see below
    CREATE TABLE counts (type TEXT PRIMARY KEY, number BIGINT, unit TEXT DEFAULT 'a;b');
    CREATE TABLE changes (type TEXT); /* how often; */
    CREATE TRIGGER changed AFTER UPDATE ON counts BEGIN INSERT INTO changes VALUES (new.type); END;
    """'''
    old = 'schema = "CREATE TABLE counts (type TEXT PRIMARY KEY, number BIGINT NOT NULL)"'
    counts = COUNT.replace(old, text).replace("VALUES (?, 1)", "(type, number) VALUES (?, 1)")
    async with replay_of(written(tmp_path, counts), database, tmp_path) as replay:
        for restart in (False, True):
            assert await run(replay, restart=restart) == counted(events)
        changes = sum(number - 1 for _, number in counted(events))
        assert replay.select("SELECT count(*), (SELECT min(unit) FROM counts) FROM changes")[1] == [(changes, "a;b")]


async def test_a_table_named_like_one_of_ours_is_another(database: Database, store: EventStore, tmp_path: Path) -> None:
    events = long_history(30)
    await record(store, events)
    projection = written(tmp_path, COUNT.replace("counts", "timeline"))
    async with replay_of(projection, database, tmp_path) as replay:
        for restart in (False, True):
            assert await run(replay, restart=restart) == counted(events)
        assert await database.read(lambda tx: tx.rows("SELECT position FROM timeline")) == []
        if database.dialect == "postgres":
            rows = await database.read(lambda tx: tx.rows("SELECT type, number FROM replay_count.timeline ORDER BY 1"))
            assert rows == counted(events)


async def test_it_is_kept_up_to_date(database: Database, store: EventStore, tmp_path: Path) -> None:
    events = long_history(100)
    await record(store, events[:50])
    async with replay_of(written(tmp_path, COUNT), database, tmp_path) as replay:
        await replay.begin(None, restart=False)

        async def shows(number: int) -> bool:
            rows = await asyncio.to_thread(replay.select, replay.projection.query)
            return rows[1] == counted(events[:number])

        async with running(replay.follow(store)):
            await until(partial(shows, 50))
            await record(store, events[50:])
            await until(partial(shows, len(events)))


async def test_it_begins_anew_when_an_erasure_takes_its_tables_away_after_it_was_recorded(
    database: Database, store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "IDLE_SECONDS", 0.05)
    events = long_history(100)
    await record(store, events[:50])
    (tmp_path / "replay").mkdir()
    async with replay_of(written(tmp_path, COUNT), database, tmp_path / "replay") as replay:

        def shown() -> bool:
            try:
                return replay.select(replay.projection.query)[1] == counted(events)
            except BrokenProjection:  # not made yet
                return False

        async def shows() -> bool:
            return await asyncio.to_thread(shown)

        position = await replay.begin(None, restart=False)
        await replay.run(position, None)
        async with running(replay.follow(store)):
            await record(store, events[50:])
            await until(shows)
            assert await asyncio.to_thread(replays.forget, database, tmp_path) == 1
            await until(shows)


async def test_a_run_begins_anew_when_its_tables_are_taken_away_in_the_middle(
    database: Database, store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "BATCH", 10)
    events = long_history(60)
    await record(store, events)
    (tmp_path / "replay").mkdir()
    async with replay_of(written(tmp_path, COUNT), database, tmp_path / "replay") as replay:
        taken: list[int] = []

        def take_away(_: Progress) -> None:
            if not taken:
                taken.append(replays.forget(database, tmp_path))

        position = await replay.begin(None, restart=False)
        assert await replay.run_through(position, None, None, take_away) == len(events)
        assert (taken, replay.select(replay.projection.query)[1]) == ([1], counted(events))


async def test_the_second_of_two_at_once_ends_and_counts_nothing_twice(
    database: Database, store: EventStore, tmp_path: Path
) -> None:
    events = long_history(60)
    await record(store, events)
    async with replay_of(written(tmp_path, COUNT), database, tmp_path) as replay:
        position = await replay.begin(None, restart=False)
        await replay.run(position, None)
        with pytest.raises(OtherProjection, match="another process"):
            await replay.run(position, None)
        assert replay.select(replay.projection.query)[1] == counted(events)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("class A: schema = 'CREATE TABLE a (b TEXT)'", "A", "needs `apply"),
        ("class A:\n    def apply(self, db, recorded): ...", "A", "needs `schema`"),
        ("class A:\n    schema = 'x'\n    async def apply(self, db, recorded): ...", "A", "a plain function"),
        ("class A:\n    schema, name = 'x', 'No Name'\n    def apply(self, db, recorded): ...", "A", "small letters"),
        ("x = 1", "B", "has no B"),
        ("x = (", "B", "mine.py, line 1: SyntaxError"),
        ("x = 1\ny = x / 0", "B", "mine.py, line 2: ZeroDivisionError"),
        ("class A:\n    def __init__(self):\n        raise ValueError('no')", "A", "mine.py, line 3: ValueError: no"),
        ("import nothing_like_it", "B", "mine.py, line 1: ModuleNotFoundError"),
    ],
)
def test_what_is_no_projection_is_told(tmp_path: Path, text: str, name: str, said: str) -> None:
    with pytest.raises(BrokenProjection) as failed:
        written(tmp_path, text, name)
    assert said in str(failed.value)


@pytest.mark.parametrize("wanted", ["nothing", "nothing:A", "no/file.py:A", "mine.py:", ":A"])
def test_what_cannot_be_found_is_told(wanted: str) -> None:
    with pytest.raises(BrokenProjection):
        load(wanted)


# --- the examples -----------------------------------------------------------------------------------------

STEPS: list[Step] = [
    ("message", 0, 1), ("message", 0, 2), ("reply", 0, 0), ("reply", 0, 0), ("close", 0, 0),
    ("message", 1, 1), ("missed", 2, 0), ("missed", 2, 1), ("missed", 3, 0), ("reply", 2, 0), ("missed", 2, 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("example", "columns", "expected"),
    [
        (
            "first_response.py:FirstResponse",
            ["channel", "hour", "asked", "answered", "fastest", "average", "slowest"],
            [("email", 12, 4, 2, 120, 180, 240)],
        ),
        ("missed_calls.py:MissedCalls", ["number", "since", "calls"], [("1", "2026-11-21T12:15:55.000000Z", 1)]),
        ("funnel.py:Funnel", ["channel", "opened", "answered", "within_the_hour", "closed"], [("email", 4, 2, 2, 1)]),
    ],
)
async def test_the_examples_answer_their_questions(
    database: Database, store: EventStore, tmp_path: Path, example: str, columns: list[str], expected: list[Any]
) -> None:
    await record(store, history(STEPS))
    async with replay_of(load(str(EXAMPLES / example)), database, tmp_path) as replay:
        await run(replay)
        names, rows = await asyncio.to_thread(replay.select, replay.projection.query)
    assert names == columns
    assert [tuple(int(v) if not isinstance(v, str) else v for v in row) for row in rows] == expected
