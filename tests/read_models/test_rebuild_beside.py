"""A child process fills some of the tables: what the rebuild makes is the same, whatever becomes of the child."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.projector import rebuild_beside, rebuild_part
from services.projector.rebuild import Wanted, rebuild
from services.projector.rebuild_beside import shares
from shared.apart import Child
from shared.apart import child as begun
from shared.database.open import open_database
from shared.database.postgres import PostgresAside
from shared.database.protocol import Database
from shared.database.sqlite_aside import SqliteAside
from shared.event_store.log import head
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.keys.place import Place
from shared.keys.ring import KeyRing
from shared.progress import Progress
from shared.read_models import live
from tests.read_models.contents import EVERY_TABLE, contents, show
from tests.read_models.test_read_models import long_history, record
from tests.read_models.test_rebuild import Broken, Watched, leftovers

SECRET = b"s" * 32


@pytest.fixture
def place(database: Database, any_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Of a database that is sealed from now on. Ten events are enough for a child; steps have twenty here."""
    monkeypatch.setattr(rebuild_beside, "APART_EVENTS", 10)
    monkeypatch.setattr(rebuild_beside, "cores", lambda: 2)
    monkeypatch.setattr(rebuild_part, "BATCH", 20)
    monkeypatch.setattr(SqliteAside, "in_the_way", lambda self: False)  # the test itself has written a moment ago
    keys_url = f"sqlite:///{tmp_path / 'keys.db'}"
    database.keys = KeyRing(open_database(keys_url), SECRET)
    database.keys.create_tables()
    return Place(any_url, keys_url, SECRET)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[Child]:
    found: list[Child] = []

    @contextmanager
    def child(*given: Any) -> Iterator[Child]:
        with begun(*given) as process:
            found.append(process)
            yield process

    monkeypatch.setattr(rebuild_beside, "child", child)
    return found


def at_first(step: str, act: Callable[[], object]) -> Callable[[Progress], None]:
    """Return a watcher that acts once when a step is told of."""
    acted: list[object] = []

    def watch(progress: Progress) -> None:
        if progress.step == step and not acted:
            acted.append(act())

    return watch


async def test_what_parent_and_child_fill_equals_the_live_tables(
    database: Database, store: EventStore, place: Place, children: list[Child]
) -> None:
    await record(store, long_history())
    await show(database)
    before, total, watched = await database.read(contents), await database.read(head), Watched()
    outcome = await rebuild(database, Wanted(), watched, place)
    assert sorted(compared.table for compared in outcome) == EVERY_TABLE
    assert [compared for compared in outcome if not compared.equal or compared.incomparable] == []
    assert await database.read(contents) == before
    assert await leftovers(database) == []
    (child,) = children
    assert child.process.returncode == -signal.SIGKILL
    told = [progress for progress in watched.told if progress.step == "events"]
    assert (told[-1].done, {progress.total for progress in told}) == (total, {total})


async def test_when_the_child_is_killed_the_parent_does_its_share(
    database: Database, store: EventStore, place: Place, children: list[Child]
) -> None:
    await record(store, long_history())
    await show(database)
    before = await database.read(contents)
    outcome = await rebuild(database, Wanted(), at_first("events", lambda: children[0].process.kill()), place)
    assert [compared for compared in outcome if not compared.equal] == []
    assert await database.read(contents) == before
    assert len(children) == 1


async def test_a_rebuild_broken_off_ends_its_child_and_goes_on_next_time(
    database: Database, store: EventStore, place: Place, children: list[Child]
) -> None:
    await record(store, long_history())
    await show(database)
    with pytest.raises(Broken):
        await rebuild(database, Wanted(), Watched("events", 60), place)
    assert children[0].process.returncode is not None
    watched = Watched()
    outcome = await rebuild(database, Wanted(), watched, place)
    assert [compared for compared in outcome if not compared.equal] == []
    assert await leftovers(database) == []


async def test_what_the_child_cannot_read_is_told_as_it_is(database: Database, store: EventStore, place: Place) -> None:
    await record(store, long_history())
    await show(database)
    with pytest.raises(WrongKeyStore, match="OKNO_SECRET_KEY is not the one"):
        await rebuild(database, Wanted(), place=Place(place.database_url, place.keys_url, b"x" * 32))
    assert [each for each in await rebuild(database, Wanted(), place=place) if not each.equal] == []


async def test_little_work_and_one_model_that_is_not_in_two_need_no_child(
    database: Database, store: EventStore, place: Place, children: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(store, long_history(50))
    await show(database)
    await rebuild(database, Wanted(["conversations"]), place=place)
    monkeypatch.setattr(rebuild_beside, "APART_EVENTS", 1000)
    await rebuild(database, Wanted(), place=place)
    await rebuild(database, Wanted(["timeline"]), place=place)
    monkeypatch.setattr(rebuild_beside, "APART_EVENTS", 10)
    monkeypatch.setattr(rebuild_beside, "cores", lambda: 1)
    await rebuild(database, Wanted(), place=place)
    await rebuild(database, Wanted(["timeline"]), place=place)
    assert children == []


async def test_a_child_that_rests_is_not_waited_for(
    database: Database, store: EventStore, place: Place, children: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(store, long_history())
    await show(database)
    before = await database.read(contents)
    monkeypatch.setattr(SqliteAside, "in_the_way", lambda self: True)
    monkeypatch.setattr(PostgresAside, "in_the_way", lambda self: True)
    outcome = await rebuild(database, Wanted(), place=place)
    assert [compared for compared in outcome if not compared.equal] == []
    assert await database.read(contents) == before
    assert [each.process.returncode for each in children] == [-signal.SIGKILL]


def test_a_child_rests_while_others_are_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild_beside, "REST_SECONDS", 0.0)
    sent: list[object] = []

    class Others:
        left = 3

        def in_the_way(self) -> bool:
            self.left -= 1
            return self.left > 0

        def send(self, message: object) -> None:
            sent.append(message)

    others: Any = Others()
    rebuild_beside._rest(others, others)
    assert sent == [rebuild_beside.RESTS] * 2


def test_every_model_is_in_one_share_and_the_shares_cost_about_the_same() -> None:
    one, other = shares(list(live.models()))
    assert sorted([*one, *other]) == sorted(live.models())
    known, else_ = rebuild_beside.COSTS, rebuild_beside.OTHERS_COST
    costs = [sum(known.get(name, else_) for name in share) for share in (one, other)]
    assert abs(costs[0] - costs[1]) <= 5
    assert shares(["timeline"]) == (["timeline"], [])


def test_no_text_tells_the_secret_key() -> None:
    assert repr(Place("a", "b", SECRET)) == "Place(database_url='a', keys_url='b')"
