"""Files of events: their shapes, that they appear whole or not at all, and that memory does not grow with them."""

from __future__ import annotations

import errno
import gc
import gzip
import json
import os
import resource
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.export import files
from services.export.drafts import new_draft
from services.export.files import JsonLines, whole_file
from services.export.parquet import Parquet, ParquetMissing
from services.export.write import write_events
from services.inbox_api.selection import Selection
from shared.clock import from_text
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store.mapper import Happening
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from tests.examples import AT, OLGA, about, every_event
from tests.read_models.test_read_models import long_history, record
from tests.services.projector.running import events as log_of


async def fill(store: EventStore) -> None:
    """Record one event of every kind in a stream of its own, past the routing index."""

    def record(session: Session, tx: Transaction) -> None:
        for version, event in enumerate(every_event(), 1):
            session.appended.append((UUID(int=9), version, Happening(event, about(OLGA))))

    await store.record(record)


async def exported(database: Database, path: Path, progress: Any = lambda done, total: None) -> int:
    with whole_file(str(path)) as out:
        file = Parquet(out) if path.suffix == ".parquet" else JsonLines(out, compressed=path.suffix == ".gz")
        return (await write_events(database, Selection(), file, progress)).events


def test_a_link_stays_and_what_it_names_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with whole_file(str(tmp_path / "link")) as out:
        out.write(b"x")
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "file").read_bytes()) == (True, b"x")


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(str(tmp_path / "pipe")) as out:
        out.write(b"x")
    assert (os.read(reader, 10), (tmp_path / "pipe").is_fifo()) == (b"x", True)
    os.close(reader)


def test_a_pipe_of_the_shell_has_no_path_and_is_written_to() -> None:
    reader, writer = os.pipe()
    with whole_file(f"/dev/fd/{writer}") as out:
        out.write(b"x")
    os.close(writer)
    assert os.read(reader, 10) == b"x"
    os.close(reader)


def test_another_export_of_the_file_that_begins_at_the_end_of_this_one_takes_nothing_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def begins_then(draft: Path, target: Path) -> None:
        number, _ = new_draft(target)
        os.close(number)
        replace(draft, target)

    monkeypatch.setattr(os, "replace", begins_then)
    with whole_file(str(tmp_path / "file")) as out:
        out.write(b"x")
    assert (tmp_path / "file").read_bytes() == b"x"


async def test_json_lines_hold_every_event_as_the_log_has_it(
    database: Database, store: EventStore, tmp_path: Path
) -> None:
    await fill(store)
    recorded = await log_of(database)
    seen: list[tuple[int, int]] = []
    assert await exported(database, tmp_path / "e.jsonl", lambda *at: seen.append(at)) == len(recorded)
    lines = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert [line["position"] for line in lines] == [r.position for r in recorded]
    message = next(line for line in lines if line["type"] == "MessageReceived")
    assert list(message) == [
        "position", "type", "stream_id", "version", "recorded_at", "occurred_at", "cause", "actor", "data"
    ]  # fmt: skip
    kind = next(r for r in recorded if isinstance(r.event, e.MessageReceived))
    assert (message["stream_id"], message["version"], message["actor"]["name"]) == (
        str(UUID(int=9)), kind.version, "Olga"
    )  # fmt: skip
    assert message["occurred_at"] == "2026-11-21T12:00:00.000000Z"
    assert message["data"]["text"] == "Привет 👋"
    assert seen[-1] == (len(recorded), len(recorded))
    await exported(database, tmp_path / "e.jsonl.gz")
    assert gzip.decompress((tmp_path / "e.jsonl.gz").read_bytes()) == (tmp_path / "e.jsonl").read_bytes()


async def test_parquet_holds_the_same_in_columns(database: Database, store: EventStore, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    await fill(store)
    await exported(database, tmp_path / "e.parquet")
    await exported(database, tmp_path / "e.jsonl")
    rows = parquet.read_table(tmp_path / "e.parquet").to_pylist()
    lines = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    for row, line in zip(rows, lines, strict=True):
        data = line.pop("data")
        ids = {name: data.get(name) for name in ("customer_id", "conversation_id", "channel_id", "channel_kind")}
        assert json.loads(row.pop("data")) == data
        assert row.pop("erased") is False
        assert row.pop("message_id") in (data.get("message_id"), data.get("reply_id"), data.get("note_id"),
                                         (data.get("message") or {}).get("message_id"))  # fmt: skip
        times = {name: from_text(line.pop(name)) for name in ("recorded_at", "occurred_at")}
        actor = {f"actor_{name}": value for name, value in line.pop("actor").items()}
        assert row == {**line, **times, **actor, **ids}


async def test_only_columns_of_few_words_have_a_dictionary(
    database: Database, store: EventStore, tmp_path: Path
) -> None:
    """One of ids that hardly repeat made the file larger, and took longer."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    await fill(store)
    await exported(database, tmp_path / "e.parquet")
    group = parquet.ParquetFile(tmp_path / "e.parquet").metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    words = {each.path_in_schema for each in columns if each.has_dictionary_page}
    assert words == {"type", "actor_kind", "channel_kind"}


async def test_an_empty_log_gives_empty_files(database: Database, store: EventStore, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    for name in ("e.jsonl", "e.parquet"):
        assert await exported(database, tmp_path / name) == 0
    assert (tmp_path / "e.jsonl").read_bytes() == b""
    assert parquet.read_table(tmp_path / "e.parquet").num_rows == 0


def test_a_file_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text("of yesterday")
    with pytest.raises(ZeroDivisionError), whole_file(str(tmp_path / "e.jsonl")) as out:
        out.write(b"half" * (1 // 0))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["of yesterday"]
    with whole_file(str(tmp_path / "e.jsonl")) as out:
        out.write(b"whole")
        assert (tmp_path / "e.jsonl").read_text() == "of yesterday"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole"]
    assert os.stat(tmp_path / "e.jsonl").st_mode & 0o777 == 0o600


def test_a_disk_that_fails_while_more_is_made_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()

    def fsync(number: int) -> None:
        if not told.is_set():  # Linux tells it once
            told.set()
            raise OSError(errno.EIO, "a bad sector")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(files, "SYNC_SECONDS", 0.001)
    (tmp_path / "e.jsonl").write_text("of yesterday")
    with pytest.raises(OSError, match="a bad sector"), whole_file(str(tmp_path / "e.jsonl")):
        told.wait(10)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["of yesterday"]


WRITER = """
import sys, time
from services.export.files import whole_file
with whole_file(sys.argv[1]) as out:
    out.write(b"half")
    out.flush()
    print("writing", flush=True)
    time.sleep(600)
"""


def test_a_draft_whose_writer_was_killed_is_removed_and_one_that_is_written_stays(tmp_path: Path) -> None:
    target, other = tmp_path / "e[1].jsonl", tmp_path / "e[1].jsonl.gz"
    killed, alive, elsewhere = (begin_to_write(path) for path in (target, target, other))
    for each in (killed, elsewhere):
        each.kill()
        each.communicate()
    assert len(list(tmp_path.iterdir())) == 3
    with whole_file(str(target)) as out:
        out.write(b"whole")
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert (target.read_bytes(), len(left)) == (b"whole", 2)
    alive.kill()
    alive.communicate()
    with whole_file(str(target)) as out:
        out.write(b"again")
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert [name.startswith(f".{other.name}.") for name in left] == [True]


def begin_to_write(path: Path) -> subprocess.Popen[bytes]:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"writing\n"
    return writer


def test_a_full_disk_is_told_with_the_name_of_the_file_and_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text("of yesterday")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large, so the file is as it was before.*e\.jsonl"):  # noqa: SIM117
            with whole_file(str(tmp_path / "e.jsonl")) as out:
                out.write(b"x" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["of yesterday"]


def test_without_pyarrow_the_command_that_installs_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParquetMissing, match=r"pip install 'okno\[parquet\]'"), (tmp_path / "e").open("wb") as out:
        Parquet(out)


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz", "e.parquet"])
def test_memory_does_not_grow_with_the_number_of_events(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.export.parquet.ROWS_PER_GROUP", 2000)
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    page = [e.Recorded(n, UUID(int=n), 1, AT, AT, None, OLGA, event) for n, event in enumerate(every_event() * 25)]
    peaks = []
    for pages in (5, 20):
        tracemalloc.start()
        with whole_file(str(tmp_path / name)) as out:
            file = Parquet(out) if name.endswith("parquet") else JsonLines(out, compressed=name.endswith("gz"))
            for _ in range(pages):
                file.add(page)
            file.end()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


class Forgetful:
    """A file that keeps nothing of what it is given, and counts the events that are anywhere in memory then."""

    form = "jsonl"

    def __init__(self) -> None:
        self._before, self.most = events_in_memory(), 0

    def add(self, events: Sequence[e.Recorded]) -> None:
        self.most = max(self.most, events_in_memory() - self._before)

    def add_piece(self, piece: bytes) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """There is no file."""


def events_in_memory() -> int:
    return sum(type(each) is e.Recorded for each in gc.get_objects())


async def test_an_export_holds_two_pages_of_the_log_at_once(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.export.write.BATCH", 20)
    await record(store, long_history(300))
    gc.collect()
    file = Forgetful()
    assert (await write_events(database, Selection(), file, lambda done, total: None)).events > 200
    assert 20 <= file.most <= 40
