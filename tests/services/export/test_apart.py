"""A long export is made by child processes: the same file, and nothing of it when one of them is killed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from services.export import apart
from services.export.files import JsonLines, whole_file
from services.export.parquet import Parquet
from services.export.write import write_events
from services.inbox_api.selection import Selection
from shared.apart import Child, ChildEnded
from shared.apart import child as begun
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.event_store import log
from shared.event_store.log import read_log, read_stored
from shared.event_store.mapper import keys_of
from shared.event_store.store import EventStore
from shared.keys.place import Place
from shared.keys.ring import KeyRing
from tests.read_models.test_read_models import long_history, record
from tests.services.export.test_files import fill

SECRET = b"s" * 32


@pytest.fixture
def place(database: Database, any_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Of a database that is sealed from now on. Children have so small pieces that each has several."""
    for name, number in (("APART_EVENTS", 1), ("PIECE", 40), ("PIECE_OF_SOME", 60)):
        monkeypatch.setattr(apart, name, number)
    monkeypatch.setattr(apart, "cores", lambda: 2)
    keys_url = f"sqlite:///{tmp_path / 'keys.db'}"
    database.keys = KeyRing(open_database(keys_url), SECRET)
    database.keys.create_tables()
    return Place(any_url, keys_url, SECRET)


async def exported(database: Database, wanted: Selection, form: str, place: Place | None) -> tuple[int, Any]:
    out = BytesIO()
    file = Parquet(out) if form == "parquet" else JsonLines(out, compressed=False)
    written = await write_events(database, wanted, file, lambda done, total: None, place)
    return written.events, pyarrow.parquet.read_table(out).to_pylist() if form == "parquet" else out.getvalue()


async def _into(target: Path, database: Database, place: Place, progress: Any) -> None:
    with whole_file(str(target)) as out:
        await write_events(database, Selection(), JsonLines(out, compressed=False), progress, place)


async def selections(database: Database) -> list[Selection]:
    events = await database.read(lambda tx: read_log(tx, 0, 1000))
    early, late = (events[len(events) * tenth // 10].recorded_at for tenth in (3, 7))
    some = ("MessageReceived", "ReplySent")
    return [Selection(), Selection(some), Selection(since=early, until=late), Selection(since=late + timedelta(days=9))]


async def test_children_write_what_one_process_writes(database: Database, store: EventStore, place: Place) -> None:
    await record(store, long_history())
    states = [each.state for each in await database.read(lambda tx: read_stored(tx, 0, 1000))]
    database.keys.destroy(sorted(keys_of(states))[:1])
    every, *parts = await selections(database)
    lines = (await exported(database, every, "jsonl", place))[1].splitlines()
    assert lines == (await exported(database, every, "jsonl", None))[1].splitlines()
    for wanted, form in [(every, "parquet"), (parts[0], "parquet"), *((part, "jsonl") for part in parts)]:
        alone = await exported(database, wanted, form, None)
        assert await exported(database, wanted, form, place) == alone
    assert len(lines) == len(states)
    assert any(b'"erased":true' in line for line in lines)


async def test_every_kind_of_event_is_written_by_children_as_by_one_process(
    database: Database, store: EventStore, place: Place
) -> None:
    await fill(store)
    for form in ("jsonl", "parquet"):
        assert await exported(database, Selection(), form, place) == await exported(database, Selection(), form, None)


async def test_a_killed_child_leaves_the_file_as_it_was(
    database: Database, store: EventStore, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[Child] = []

    @contextmanager
    def child(*given: Any) -> Iterator[Child]:
        with begun(*given) as process:
            children.append(process)
            yield process

    monkeypatch.setattr(apart, "child", child)
    await record(store, long_history())
    target = tmp_path / "events.jsonl"
    target.write_text("before")
    with pytest.raises(ChildEnded, match="ended by signal 9"):
        await _into(target, database, place, lambda *_: [each.process.kill() for each in children])
    assert target.read_text() == "before"
    assert [name for name in os.listdir(tmp_path) if "events" in name] == ["events.jsonl"]
    assert len(children) == apart.CHILDREN


async def test_a_cancelled_export_ends_its_children(
    database: Database, store: EventStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[Child] = []
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    @contextmanager
    def child(*given: Any) -> Iterator[Child]:
        with begun(*given) as process:
            children.append(process)
            loop.call_soon_threadsafe(began.set)
            yield process

    monkeypatch.setattr(apart, "child", child)
    await record(store, long_history())
    writing = asyncio.create_task(exported(database, Selection(), "jsonl", place))
    await began.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert all(each.process.returncode is not None for each in children)


class Asking:
    """A parent that asks for one piece and keeps what it is given; there is no other."""

    def __init__(self, *pieces: tuple[int, int]) -> None:
        self.sent: list[Any] = []
        self._pieces = list(pieces)

    def receive(self) -> tuple[int, int]:
        if not self._pieces:
            raise BrokenPipeError
        return self._pieces.pop(0)

    def send(self, message: Any) -> None:
        self.sent.append(message)


async def test_a_piece_of_large_events_is_handed_over_in_parts(
    database: Database, store: EventStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "PIECE_BYTES", 1)
    monkeypatch.setattr(log, "PIECE", 10)
    await record(store, long_history(50))
    alone = await exported(database, Selection(), "jsonl", None)
    parent = Asking((0, 25), (25, alone[0]))
    with pytest.raises(BrokenPipeError):
        await asyncio.to_thread(apart.write_pieces, parent, place, Selection(), "jsonl")
    told, data = parent.sent[::2], parent.sent[1::2]
    assert told[:3] == [(10, False, []), (10, False, []), (5, True, [])]
    assert [is_whole for _, is_whole, _ in told].count(True) == 2
    assert b"".join(data) == alone[1]


async def test_no_more_than_a_few_pieces_are_in_hand_however_long_the_log_is(
    database: Database, store: EventStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "PIECE", 10)
    in_hand, most = [0], [0]

    @contextmanager
    def child(*given: Any) -> Iterator[Child]:
        with begun(*given) as process:
            send, receive = process.send, process.receive

            def sent(message: object) -> None:
                in_hand[0] += 1
                most[0] = max(most[0], in_hand[0])
                send(message)

            def received(goes_on: Any) -> Any:
                answer = receive(goes_on)
                if isinstance(answer, tuple):
                    in_hand[0] -= answer[1]  # whether the piece is whole: what is in it comes next
                return answer

            process.send, process.receive = sent, received  # type: ignore[method-assign]
            yield process

    monkeypatch.setattr(apart, "child", child)
    await record(store, long_history())
    assert (await exported(database, Selection(), "jsonl", place))[0] > 300
    assert (most[0], in_hand[0]) == (apart.CHILDREN * apart.AHEAD, 0)


async def test_one_core_makes_an_export_alone(
    database: Database, store: EventStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "cores", lambda: 1)
    monkeypatch.setattr(apart, "child", None)
    await record(store, long_history(50))
    assert await exported(database, Selection(), "jsonl", place) == await exported(database, Selection(), "jsonl", None)
