"""`okno events export` and `okno events tail`, as processes beside the one that records."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from services import cli
from services.projector import inbound
from shared.database.protocol import Database
from shared.event_store.store import EventStore
from tests.examples import inbound as item
from tests.peers.okno import ROOT
from tests.read_models.contents import show
from tests.services.projector.running import events as log_of

WORDS = ("раз", "два", "three")
NOBODY = str(UUID(int=7))


async def receive(store: EventStore, text: str, sender: str = "anna@example.com") -> None:
    await store.record(lambda session, tx: inbound.receive(session, tx, [item(text, sender=sender)]))


@pytest.fixture
def settings(any_url: str, tmp_path: Path) -> dict[str, str]:
    return {"OKNO_DATA": str(tmp_path), "OKNO_DATABASE_URL": any_url}


@asynccontextmanager
async def okno(settings: dict[str, str], *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command; its pipes end with the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli", "events", *arguments,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **settings},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ran(settings: dict[str, str], *arguments: str) -> tuple[int | None, str, str]:
    async with okno(settings, *arguments) as process:
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()


async def test_an_export_is_what_the_log_has(
    database: Database, store: EventStore, settings: dict[str, str], tmp_path: Path
) -> None:
    for word in WORDS:
        await receive(store, word)
    await show(database)
    recorded = await log_of(database)
    target, messages = tmp_path / "e.jsonl", ("--type", "MessageReceived", "--customer", str(recorded[0].stream_id))
    assert await ran(settings, "export", "--out", str(target), "--json", *messages) == (
        0, json.dumps({"events": len(WORDS), "file": str(target), "left_out": 0, "named": []}, indent=2) + "\n", ""
    )  # fmt: skip
    assert [json.loads(line)["data"]["text"] for line in target.read_text().splitlines()] == list(WORDS)
    assert await ran(settings, "export", "--out", str(target), *messages) == (0, f"{target}: {len(WORDS)} events\n", "")


@pytest.mark.parametrize("out", ["/dev/stdout", ">(cat)"])
async def test_an_export_goes_where_the_shell_sends_it(store: EventStore, settings: dict[str, str], out: str) -> None:
    await receive(store, "раз")
    command = f"{sys.executable} -m services.cli events export --type MessageReceived --out {out}"
    process = await asyncio.create_subprocess_shell(
        f"{command}; wait", executable="/bin/bash", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **settings}, cwd=ROOT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        written, err = await process.communicate()
    assert (json.loads(written)["data"]["text"], err) == ("раз", b"")


def test_a_wrong_request_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The log of a process goes to its stderr for good; the process of the tests keeps its own.
    monkeypatch.setattr(cli, "set_up_logs", lambda level: None)
    assert cli.main(["channels", "list", "--data", str(tmp_path)]) == 0
    capsys.readouterr()
    wrong = {
        "no event 'Nonsense'": ("export", "--out", "-", "--type", "Nonsense"),
        "no customer 'Анна'": ("export", "--out", "-", "--customer", "Анна"),
        f"no customer '{NOBODY}'": ("tail", "--customer", NOBODY),
        "--since wants a time": ("export", "--out", "-", "--since", "yesterday"),
        "--since is not before --until": ("export", "--out", "-", "--since", "2026-01-02", "--until", "2026-01-01"),
        "no folder": ("export", "--out", str(tmp_path / "nowhere" / "e.jsonl")),
        "Parquet cannot be written to stdout": ("export", "--format", "parquet", "--out", "-"),
        "Parquet cannot be written to stdout: name": ("export", "--format", "parquet", "--out", "/dev/stdout"),
        "--after wants a position": ("tail", "--after", "-1"),
        "the log has those up to 0": ("tail", "--after", "1"),
    }
    for why, arguments in wrong.items():
        assert cli.main(["events", *arguments, "--data", str(tmp_path)]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n"), why in err) == ("", 1, True), err


async def test_tail_tells_what_another_process_records_and_ends_when_interrupted(
    database: Database, store: EventStore, settings: dict[str, str]
) -> None:
    await receive(store, "before")
    after = (await log_of(database))[-1].position
    arguments = ("tail", "--after", str(after), "--type", "MessageReceived", "--json")
    async with okno(settings, *arguments) as process, asyncio.timeout(60):
        assert process.stdout is not None
        for word in WORDS:
            await receive(store, word)
            assert json.loads(await process.stdout.readline())["data"]["text"] == word
        process.send_signal(signal.SIGINT)
        assert await process.communicate() == (b"", b"")
        assert process.returncode == 0


async def test_tail_ends_when_nobody_reads_any_more(
    database: Database, store: EventStore, settings: dict[str, str]
) -> None:
    await receive(store, "one\x1b[31m")
    command = f"{sys.executable} -m services.cli events tail --after 0 --type MessageReceived | head -n 1"
    process = await asyncio.create_subprocess_shell(
        f"{command}; exit ${{PIPESTATUS[0]}}", executable="/bin/bash", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **settings}, cwd=ROOT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.decode().split("  ")[2:] == ["MessageReceived", "customer Anna", "one [31m\n"]
