"""A rebuild ends also where others write as much in each of its steps as a step takes in."""

from __future__ import annotations

from functools import partial

import pytest

from services.projector.rebuild import Wanted, rebuild
from services.projector.rebuild_pace import LEAST
from shared.database.protocol import Database
from shared.database.sqlite_aside import SqliteAside
from shared.event_store.log import read_log
from shared.event_store.store import EventStore
from shared.progress import Progress
from shared.read_models import live
from tests.read_models.test_read_models import long_history, record


@pytest.mark.parametrize("switch", [True, False])
async def test_it_ends_before_those_who_write_without_a_pause(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch, switch: bool
) -> None:
    monkeypatch.setattr(SqliteAside, "in_the_way", lambda _: True)
    monkeypatch.setattr(SqliteAside, "waits_long", lambda _: False)
    await record(store, long_history(6000))
    events = await database.read(lambda tx: read_log(tx, 0, 10_000))
    await database.write(partial(live.take_in, events=events[:1000]))

    def write(progress: Progress) -> None:
        if progress.step == "events":
            with database.writing() as tx:
                at = live.position(tx)
                if coming := [recorded for recorded in events if recorded.position > at][:LEAST]:
                    live.take_in(tx, coming)

    assert all(compared.equal for compared in await rebuild(database, Wanted(switch=switch), write))
    assert await database.read(live.position) < events[-1].position
    monkeypatch.undo()
    assert all(compared.equal for compared in await rebuild(database, Wanted()))
