"""A child makes the rows of one model: what its parent writes is the same, whatever becomes of the child."""

from __future__ import annotations

import marshal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from services.projector import rebuild_beside, rebuild_made, rebuild_part
from services.projector.rebuild import Wanted, rebuild
from services.projector.rebuild_made import MadeAhead
from services.projector.rebuild_pace import Pace
from shared.apart import Child
from shared.apart import child as begun
from shared.database.postgres import PostgresAside
from shared.database.protocol import Database, DatabaseUnavailable, Row
from shared.database.sqlite_aside import SqliteAside
from shared.domain.events import Recorded
from shared.domain.unreadable import Unreadable
from shared.event_store.log import PIECE, head, read_log, read_stored
from shared.event_store.mapper import keys_of
from shared.event_store.store import EventStore
from shared.keys.pages import WrongKeyStore
from shared.keys.place import Place
from shared.progress import Progress
from shared.read_models import holes, live
from shared.read_models.timeline import READ_MODEL
from tests.event_store.test_chain import tamper
from tests.read_models.contents import contents
from tests.read_models.histories import KINDS, Step
from tests.read_models.lived import MORE, life
from tests.read_models.test_rebuild import Broken, Watched, leftovers
from tests.read_models.test_rebuild_beside import at_first, record
from tests.read_models.test_rebuild_beside import place as place  # the fixture

TIMELINE = Wanted(["timeline"])


class Asked(Child):
    """A child that remembers which pieces it was given."""

    pieces: list[tuple[int, int]]

    def send(self, message: object) -> None:
        if isinstance(message, tuple) and isinstance(message[0], int):
            self.pieces.append(message[:2])
        super().send(message)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    found: list[Asked] = []

    @contextmanager
    def child(*given: Any) -> Iterator[Child]:
        with begun(*given) as process:
            process.__class__, asked = Asked, process
            asked.pieces = []  # type: ignore[attr-defined]
            found.append(asked)  # type: ignore[arg-type]
            yield process

    monkeypatch.setattr(rebuild_beside, "child", child)
    return found


class WhenReady(Watched):
    """Lets the rebuild go on when the child can begin: else so few events would be written before that."""

    def __init__(self, children: list[Asked], breaks_at: str = "", after: int = 0) -> None:
        super().__init__(breaks_at, after)
        self._children = children

    def __call__(self, progress: Progress) -> None:
        while not self.told and not self._children[0].has_something():
            time.sleep(0.01)
        super().__call__(progress)


def long_life() -> list[Step]:
    """Return random steps; in each conversation an edit comes once before what it edits."""
    chance, kinds = Random(11), [*KINDS, *MORE, "message", "reply"]
    steps = [(chance.choice(kinds), chance.randrange(4), chance.randrange(6)) for _ in range(500)]
    steps = [step for step in steps if step[0] not in ("edit_ahead", "original")]
    for number in range(4):
        steps.insert(50 * number, ("edit_ahead", number, number))
        steps.insert(50 * number + 90, ("original", number, number))
    return steps


async def everything(database: Database, store: EventStore) -> dict[str, list[Row]]:
    """Record a long life; somebody is erased and an event spoilt; return the live tables that this makes."""
    await record(store, life(long_life()))
    stored = await database.read(lambda tx: read_stored(tx, 0, 10_000))
    database.keys.destroy(sorted(keys_of([each.state for each in stored]))[:1])
    spoilt = next(each for each in stored if each.type == "MessageReceived" and each.position > 100)
    await tamper(
        database, f"UPDATE stored_events SET state = ? WHERE {{position}} = {spoilt.position}", spoilt.state[:-1]
    )
    events = await database.read(lambda tx: read_log(tx, 0, 10_000, pass_over=True))
    await database.write(partial(live.take_in, events=events))
    return await database.read(contents)


def has_everything(events: list[Recorded], tables: dict[str, list[Row]]) -> bool:
    erased, unreadable = (any(r.erased for r in events), any(isinstance(r.event, Unreadable) for r in events))
    return erased and unreadable and all(len(tables[name]) > 3 for name in READ_MODEL.tables)


async def test_what_a_child_makes_equals_the_live_tables(
    database: Database, store: EventStore, place: Place, children: list[Asked]
) -> None:
    before, total = await everything(database, store), await database.read(head)
    events = await database.read(lambda tx: read_log(tx, 0, 10_000, pass_over=True))
    assert has_everything(events, before)
    await database.write(lambda tx: holes.forget(tx, [hole.position for hole in holes.of(events)]))
    watched = WhenReady(children)
    outcome = await rebuild(database, TIMELINE, watched, place)
    assert sorted(compared.table for compared in outcome) == sorted(READ_MODEL.tables)
    assert [compared for compared in outcome if not compared.equal or compared.incomparable] == []
    assert await database.read(contents) == before
    assert await database.read(lambda tx: [hole.position for hole in holes.noted(tx, 0, 9)]) == [
        hole.position for hole in holes.of(events)
    ]
    assert await leftovers(database) == []
    (child,) = children
    assert len(child.pieces) > 5
    assert child.process.returncode is not None
    told = [progress.done for progress in watched.told if progress.step == "events"]
    assert (told, told[-1]) == (sorted(told), total)


async def test_large_pieces_come_in_several_steps(
    database: Database, store: EventStore, place: Place, children: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, watched = await everything(database, store), WhenReady(children)
    monkeypatch.setattr(rebuild_made, "PIECE_BYTES", 1)
    monkeypatch.setattr(rebuild_part, "BATCH", 3 * PIECE)
    outcome = await rebuild(database, TIMELINE, watched, place)
    ((after, until), *_) = children[0].pieces
    assert until - after > PIECE
    assert {after + PIECE, after + 2 * PIECE} <= {progress.done for progress in watched.told}
    assert [compared for compared in outcome if not compared.equal] == []
    assert await database.read(contents) == before


async def test_when_the_child_is_killed_the_parent_goes_on_alone(
    database: Database, store: EventStore, place: Place, children: list[Asked]
) -> None:
    before = await everything(database, store)
    ready = WhenReady(children)

    def kill_later(progress: Progress) -> None:
        ready(progress)
        if progress.done > 200:
            children[0].process.kill()

    outcome = await rebuild(database, TIMELINE, kill_later, place)
    assert [compared for compared in outcome if not compared.equal] == []
    assert await database.read(contents) == before
    assert (len(children), len(children[0].pieces) > 1) == (1, True)


async def test_when_the_child_is_killed_at_once_the_parent_goes_on_alone(
    database: Database, store: EventStore, place: Place, children: list[Asked]
) -> None:
    before = await everything(database, store)
    outcome = await rebuild(database, TIMELINE, at_first("events", lambda: children[0].process.kill()), place)
    assert [compared for compared in outcome if not compared.equal] == []
    assert await database.read(contents) == before


async def test_one_broken_off_ends_its_child_and_goes_on_next_time(
    database: Database, store: EventStore, place: Place, children: list[Asked]
) -> None:
    before = await everything(database, store)
    with pytest.raises(Broken):
        await rebuild(database, TIMELINE, WhenReady(children, "events", 300), place)
    assert children[0].process.returncode is not None
    watched = Watched()
    outcome = await rebuild(database, TIMELINE, watched, place)
    assert next(progress.before for progress in watched.told if progress.step == "events") >= 300
    assert [compared for compared in outcome if not compared.equal] == []
    assert await database.read(contents) == before
    assert await leftovers(database) == []


async def test_what_others_write_meanwhile_is_not_kept_waiting_by_what_is_made(
    database: Database, store: EventStore, place: Place, children: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others write the steps are the least, and the child gets nothing more to do."""
    before, total = await everything(database, store), await database.read(head)
    ready, others, given = WhenReady(children), False, list[int]()

    def watch(progress: Progress) -> None:
        nonlocal others
        ready(progress)
        if progress.step == "events":
            others = 200 < progress.done < 300
        if others:
            given.append(len(children[0].pieces))

    monkeypatch.setattr(SqliteAside, "in_the_way", lambda self: others)
    monkeypatch.setattr(PostgresAside, "in_the_way", lambda self: others)
    outcome = await rebuild(database, TIMELINE, watch, place)
    assert [compared for compared in outcome if not compared.equal] == []
    assert await database.read(contents) == before
    assert len(set(given)) == 1
    assert given[0] < len(children[0].pieces)
    assert total > 400


async def test_what_the_child_cannot_read_is_told_as_it_is(
    database: Database, store: EventStore, place: Place, children: list[Asked]
) -> None:
    await everything(database, store)
    wrong = Place(place.database_url, place.keys_url, b"x" * 32)
    with pytest.raises(WrongKeyStore, match="OKNO_SECRET_KEY is not the one"):
        await rebuild(database, TIMELINE, WhenReady(children), wrong)


class Ready:
    """A child that has made every position of the log by itself, before anybody takes anything."""

    def __init__(self) -> None:
        self.made: deque[object] = deque([None])

    def send(self, piece: tuple[int, int, int]) -> None:
        self.made.extend((position + 1, [], position) for position in range(*piece[:2]))

    def has_something(self) -> bool:
        return bool(self.made)

    def receive(self, goes_on: object) -> object:
        return self.made.popleft()

    def in_the_way(self) -> bool:
        return False

    def goes_on(self) -> None:
        return


def test_of_what_the_child_has_made_little_is_taken_before_it_can_be_written() -> None:
    child: Any = Ready()
    part: Any = SimpleNamespace(aside=child, goes_on=child.goes_on)
    steps = MadeAhead("timeline", child).steps(part, 0, 2 * 100, Pace(100))
    assert next(steps).reached == 1
    assert len(child.made) == 200 - rebuild_made.MADE_BEFORE
    assert [step.reached for step in steps] == list(range(2, 201))


class Mute(Ready):
    """A child that has begun, and then says nothing or what its last words are."""

    def __init__(self, last_words: Exception | None) -> None:
        super().__init__()
        self._last_words = last_words

    def send(self, piece: tuple[int, int, int]) -> None:
        return

    def receive(self, goes_on: Any) -> object:
        if self.made:
            return self.made.popleft()
        while self._last_words is None:
            goes_on()
        raise self._last_words


@pytest.mark.parametrize("last_words", [None, DatabaseUnavailable("no connection"), MemoryError()])
def test_a_child_that_does_not_answer_or_has_nothing_to_work_with_is_left_alone(
    last_words: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_made, "SILENT_SECONDS", 0.0)
    child: Any = Mute(last_words)
    alone = [SimpleNamespace(reached=100), SimpleNamespace(reached=200)]
    part: Any = SimpleNamespace(aside=child, goes_on=child.goes_on, steps=lambda after, total, pace: iter(alone))
    assert [step.reached for step in MadeAhead("timeline", child).steps(part, 0, 200, Pace(200))] == [100, 200]


def test_what_is_made_goes_between_processes_the_fast_way() -> None:
    made = READ_MODEL.made(life(long_life()))
    assert marshal.loads(marshal.dumps(made)) == made
    assert all(made)
