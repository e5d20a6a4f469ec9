"""Work in a process of its own: handed over, answered, told when it fails, gone with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.apart import ChildEnded, Parent, child

JOBS = "tests.test_apart"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def echoes(parent: Parent, begin: str) -> None:
    print("not for the parent")
    parent.send((begin, os.getpid(), os.getppid()))
    while (message := parent.receive()) != "stop":
        parent.send(message)


def fails(parent: Parent) -> None:
    raise ValueError("Привет")


class Awkward(Exception):
    """Cannot be copied: its text is not what it was made of."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def fails_awkwardly(parent: Parent) -> None:
    raise Awkward(1, 2)


def test_messages_of_every_kind_go_both_ways() -> None:
    with child(f"{JOBS}:echoes", "begin") as process:
        begin, pid, parent_pid = process.receive()
        assert (begin, parent_pid) == ("begin", os.getpid())
        assert pid == process.process.pid
        large = os.urandom(3_000_000)
        for message in (
            None,
            [(1, "ж", None, b"\0", 2.5)],
            MOMENT,
            "x" * 3_000_000,
            {"a": ()},
            b"",
            b"m",
            large,
            (large,),
        ):
            process.send(message)
            assert process.receive() == message
        process.send("stop")
        with pytest.raises(ChildEnded, match="no more"):
            process.receive()
    assert process.process.returncode == -signal.SIGKILL


def test_what_a_job_raises_is_raised_here() -> None:
    with child(f"{JOBS}:fails") as process, pytest.raises(ValueError, match="Привет"):
        process.receive()
    with child(f"{JOBS}:fails_awkwardly") as process, pytest.raises(ChildEnded, match="Awkward: 1 and 2"):
        process.receive()


def test_a_killed_child_is_told_by_whatever_is_done_next() -> None:
    with child(f"{JOBS}:echoes", "begin") as process:
        process.receive()
        process.process.kill()
        process.process.wait()
        with pytest.raises(ChildEnded, match="ended by signal 9"):
            process.receive()
        with pytest.raises(ChildEnded, match="ended by signal 9"):
            process.send("more")


def test_waiting_can_be_broken_off() -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), child(f"{JOBS}:echoes", "begin") as process:
        process.receive(stopped)
    assert process.process.returncode == -signal.SIGKILL


def test_a_child_is_gone_when_its_parent_was_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal\nfrom shared.apart import child\n"
        f"with child('{JOBS}:echoes', '') as process:\n"
        "    print(process.receive()[1], flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    told = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, check=False)
    assert told.returncode == -signal.SIGKILL
    pid = int(told.stdout)
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
        time.sleep(0.05)
