"""An erasure that cannot be carried out says why, is tried again, and leaves the rest of the process alone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from services.privacy import main, replays
from services.privacy.job import carry_out
from services.privacy.main import Privacy
from services.privacy.stores import Stores
from shared.database.lead import lead_forever
from shared.database.open import open_database
from shared.database.protocol import Conflict, Transaction
from shared.registry import erasures
from tests.privacy.town import Person, Town, settings_of, town
from tests.services.projector.running import running


async def asked(made: Town) -> UUID:
    """Return the erasure of somebody who has written."""
    await made.publish(made.item(Person("Trudnova"), "email", "first"))
    ((customer,),) = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM customers"))
    request = partial(erasures.request, customer_id=UUID(customer), reason="asked for it", by="o")
    return await made.house.database.write(request)


async def until(made: Town, id_: UUID, **wanted: str) -> None:
    """Wait until an erasure is shown with some fields."""
    async with asyncio.timeout(60):
        while True:
            found = await made.house.database.read(partial(erasures.one, id_=id_))
            assert found is not None
            if wanted.items() <= found.shown().items():
                return
            await asyncio.sleep(0.02)


async def test_a_file_that_cannot_be_emptied_is_told_and_the_erasure_goes_on_without_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(main, "LONGEST_SECONDS", 0.1)
    foreign = tmp_path / "data" / "replay" / "notes.db"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"somebody's own notes, kept here by mistake" * 100)
    async with town(settings_of(tmp_path / "data", url)) as made:
        privacy = Privacy(made.stores())
        id_ = await asked(made)
        leading = lead_forever(made.house.database, "privacy", privacy.work)
        async with running(leading):
            said = f"NoProjection: {foreign} is no SQLite file (file is not a database):"
            await until(made, id_, problem=f"{said} move it out of there, and look what it has")
            foreign.unlink()
            await until(made, id_, state="done", problem="")


async def test_a_full_text_of_an_analyst_is_emptied_and_so_is_what_comes_after_it(tmp_path: Path) -> None:
    folder = tmp_path / "replay"
    folder.mkdir()
    for name in ("articles", "words"):
        with closing(sqlite3.connect(folder / f"{name}.db")) as file:
            file.executescript(
                "CREATE TABLE a (x); CREATE VIEW b AS SELECT x FROM a; CREATE VIRTUAL TABLE said USING fts5 (text);"
                "INSERT INTO said VALUES ('Trudnova');"
            )
    database = open_database(f"sqlite:///{tmp_path / 'okno.db'}")
    assert await asyncio.to_thread(replays.forget, database, tmp_path) == 2
    await database.close()
    for name in ("articles", "words"):
        with closing(sqlite3.connect(folder / f"{name}.db")) as file:
            assert file.execute("SELECT name FROM sqlite_master").fetchall() == []
        assert b"Trudnova" not in (folder / f"{name}.db").read_bytes()


async def test_what_an_erasure_waits_for_is_told_until_it_goes_on(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "AGAIN_SECONDS", 0.02)
    monkeypatch.setattr("shared.database.postgres_rewrite.WAIT_SECONDS", 0.1)
    monkeypatch.setattr("shared.database.sqlite.WIPE_SECONDS", 0.1)
    async with town(settings_of(tmp_path / "data", url)) as made:
        id_ = await asked(made)
        with made.house.database.aside() as aside, aside.reading() as backup:
            backup.rows("SELECT 1 FROM stored_events")
            async with running(lead_forever(made.house.database, "privacy", Privacy(made.stores()).work)):
                await until(made, id_, state="shown")
                said = await problem(made, id_)
        assert said.startswith("DatabaseUnavailable: ")
        assert said.endswith("as while a backup is made")
        async with running(lead_forever(made.house.database, "privacy", Privacy(made.stores()).work)):
            await until(made, id_, state="done", problem="")


async def problem(made: Town, id_: UUID) -> str:
    """Wait until there is one and return it."""
    async with asyncio.timeout(60):
        while True:
            found = await made.house.database.read(partial(erasures.one, id_=id_))
            assert found is not None
            if found.shown()["problem"]:
                return str(found.shown()["problem"])
            await asyncio.sleep(0.02)


async def test_a_conflict_is_waited_for_and_no_failure(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town(settings_of(tmp_path / "data", url)) as made:
        id_ = await asked(made)
        monkeypatch.setattr(main, "carry_out", contested(2))
        privacy = Privacy(made.stores())
        assert [await privacy._attempt(), await privacy._attempt()] == [main.AGAIN_SECONDS] * 2
        assert await problem(made, id_) == "Conflict: deadlock detected"
        async with asyncio.timeout(60):
            while await privacy._attempt():  # noqa: ASYNC110 (it waits for others' work)
                await asyncio.sleep(0.02)
        await until(made, id_, state="done", problem="")


def contested(failures: int) -> Callable[[Stores], Awaitable[int]]:
    """Return a `carry_out` that fails so often first."""
    left = iter([Conflict("deadlock detected")] * failures)

    async def carried_out(stores: Stores) -> int:
        for failure in left:
            raise failure
        return await carry_out(stores)

    return carried_out


def test_a_pause_after_failures_grows() -> None:
    assert [main.pause_after(failures) for failures in (1, 2, 3, 9, 10, 5000)] == [2, 4, 8, 512, 600, 600]


@pytest.mark.cluster
async def test_only_schemas_of_projections_are_dropped(database_url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path / "data", database_url)) as made:
        database = made.house.database

        def make(tx: Transaction) -> None:
            tx.script("CREATE SCHEMA replay_words; CREATE TABLE replay_words.replay_position (name TEXT)")
            tx.script("CREATE SCHEMA replay_of_the_match; CREATE TABLE replay_of_the_match.goals (minute BIGINT)")

        await database.write(make)
        assert replays.forget(database, tmp_path / "data") == 1
        schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'replay%'"
        assert await database.read(lambda tx: tx.rows(schemas)) == [("replay_of_the_match",)]


@pytest.mark.cluster
async def test_an_erasure_locks_nobody_out_of_the_raw_items(database_url: str, tmp_path: Path) -> None:
    async with town(settings_of(tmp_path / "data", database_url)) as made:
        await asked(made)
        with psycopg.connect(database_url) as reader:
            reader.execute("SELECT count(*) FROM raw_items")  # holds the table's lock until it is closed
            async with asyncio.timeout(60):
                while await carry_out(made.stores()):  # noqa: ASYNC110 (it waits for others' work)
                    await asyncio.sleep(0.05)
