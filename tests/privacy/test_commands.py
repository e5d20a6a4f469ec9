"""`okno erase`, `erasures` and `retention` as an admin uses them, and an erasure that is killed at every step."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.commands import erase as command
from services.house import House
from services.privacy.main import stores_of
from shared.contracts.inbound import FileRef
from shared.registry import erasures
from tests.examples import inbound
from tests.privacy.planted import found_in
from tests.services.command_line import MAILBOX, Cli, okno

__all__ = ["okno"]
WORDS = "совершенно секретно"
DIE = """
import os, signal, sys
from datetime import timedelta
from services import cli
from services.privacy import job, main
steps, wanted, spared = 0, int(sys.argv.pop(1)), int(sys.argv.pop(1))
def dying(name):
    real = getattr(job.erasures, name)
    async def step(*args, **kwargs):
        global steps
        steps += 1
        if steps == wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        await real(*args, **kwargs)
        steps += 1
        if steps == wanted:
            os.kill(os.getpid(), signal.SIGKILL)
    setattr(job.erasures, name, step)
dying("advance"); dying("finish")
stores_of = main.stores_of
import services.commands.erase as command
from dataclasses import replace
command.LOOK_SECONDS = 0.05
command.stores_of = lambda *args: replace(stores_of(*args), settle=timedelta(0), spared=timedelta(hours=spared))
sys.exit(cli.main(sys.argv[1:]))
"""


def erase(
    okno: Cli, customer: str, *options: str, die_at: int = 0, spared: int = 0
) -> subprocess.CompletedProcess[str]:
    given = ("--yes", "--reason", "asked", *(options or ("--json",)), "--data", str(okno.data))
    arguments = [str(die_at), str(spared), "erase", customer, *given]
    env = {name: value for name, value in os.environ.items() if not name.startswith("OKNO_")}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    return subprocess.run([sys.executable, "-c", DIE, *arguments], capture_output=True, text=True, env=env, timeout=100)


def customer_of(okno: Cli) -> str:
    item = inbound(WORDS, sender="anna@secret.example", name="Анна Секретова")
    handled: Any = okno.receive(item)
    return str(handled[0].event.customer_id)


@pytest.mark.timeout(300)
def test_an_erasure_that_is_killed_at_any_step_goes_on_where_it_was(okno: Cli) -> None:
    customer = customer_of(okno)
    for step in range(1, 12):
        ended = erase(okno, customer, die_at=step)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
    done = json.loads(ended.stdout)
    assert (done["state"], done["subject_id"], step > 4) == ("done", customer, True)
    listed = okno.json("erasures", "list")["items"]
    assert [(each["id"], each["state"]) for each in listed] == [(done["id"], "done")]
    assert [entry["kind"] for entry in okno.json("timeline", customer)["items"]].count("erased") == 1
    okno.in_house(lambda house: house.database.read(lambda tx: None))
    assert found_in([okno.data], [WORDS, "anna@secret.example", "Анна Секретова"]) == {}


def test_an_erasure_does_not_wait_for_files_that_came_a_moment_ago(okno: Cli) -> None:
    """Nobody can read them any more: their keys follow from names that are gone."""
    sha256 = okno.in_house(lambda house: house.blobs.put(WORDS.encode()))
    file = FileRef(sha256, 10, "file.txt", "text/plain")
    handled: Any = okno.receive(inbound(WORDS, sender="anna@secret.example", files=(file,)))
    ended = erase(okno, str(handled[0].event.customer_id), "--wait", "60", spared=1)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (
        0, "nothing is readable any more; 1 files that somebody else may be sending go a little later"
    )  # fmt: skip
    assert okno.json("erasures", "list")["items"][0]["state"] == "shown"
    assert found_in([okno.data], [WORDS, "anna@secret.example"]) == {}


def test_a_certificate_is_shown_and_verified(okno: Cli, tmp_path: Path) -> None:
    customer = customer_of(okno)
    assert "not confirmed" in okno_says(okno, customer, "no")
    assert okno_says(okno, customer, "") == "okno: not confirmed: nothing was erased\n"
    erasure = json.loads(erase(okno, customer).stdout)
    file = tmp_path / "certificate.json"
    file.write_text(okno("erasures", "show", erasure["id"]))
    assert okno("erasures", "verify", str(file)) == "genuine\n"
    certificate = json.loads(file.read_text())
    assert (certificate["customers"], certificate["destroyed"]["events"], certificate["reason"]) == (
        [customer], 4, "asked",
    )  # fmt: skip
    file.write_text(json.dumps({**certificate, "reason": "another"}))
    assert okno("erasures", "verify", str(file), status=1) == "not genuine\n"
    assert "no id of an erasure" in okno.wrong("erasures", "show", "x")


def test_rules_and_holds_are_kept_by_the_command_line(okno: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "stores_of", lambda *of: replace(stores_of(*of), settle=timedelta(0)))  # not the point
    okno(*MAILBOX)
    customer = customer_of(okno)
    (rule,) = okno.json("retention", "set", "Support", "--days", "30")["items"]
    assert rule["days"] == 30
    assert okno.json("retention", "run")["items"][0]["state"] in ("shown", "done")
    hold = okno.json("retention", "hold", "--customer", customer, "--reason", "court")["id"]
    assert "court" in okno.wrong("erase", customer, "--yes")
    (released,) = okno.json("retention", "release", hold)["items"]
    assert released["released_by"].startswith("command line")
    assert okno.json("retention", "remove", "Support")["items"] == []
    assert "1 to 36500" in okno.wrong("retention", "set", "Support", "--days", "0")
    assert "no hold" in okno.wrong("retention", "release", hold)
    assert "no id of a hold" in okno.wrong("retention", "release", "x")


def okno_says(okno: Cli, customer: str, answer: str) -> str:
    command = [sys.executable, "-m", "services.cli", "erase", customer, "--data", str(okno.data)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("OKNO_")}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    return subprocess.run(command, input=answer, capture_output=True, text=True, env=env, timeout=60).stderr


def test_the_list_says_what_an_erasure_waits_for(okno: Cli) -> None:
    customer = customer_of(okno)

    async def waits(house: House) -> None:
        await house.database.write(partial(erasures.request, customer_id=UUID(customer), reason="", by="o"))
        await erasures.tell(house.database, "DatabaseUnavailable: somebody reads all the time")

    okno.in_house(waits)
    assert "DatabaseUnavailable: somebody reads all the time" in okno("erasures", "list")
