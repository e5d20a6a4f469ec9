"""`okno webhooks`, and the whole way: an event of a running Okno reaches a partner, also after kill -9."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services import cli
from services.house import House, open_house
from services.projector import inbound
from shared.settings import read_settings
from tests.examples import inbound as item
from tests.peers.fixtures import StartOkno
from tests.services.fakes import until
from tests.services.projector.partner import HANG, OK, partner

URL = "https://partner.example/okno"


@pytest.fixture
def okno(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command; return its JSON, or its line of error."""
    # The log of a process goes to its stderr for good; the process of the tests keeps its own.
    monkeypatch.setattr(cli, "set_up_logs", lambda level: None)

    def run(*arguments: str, status: int = 0) -> Any:
        assert cli.main(["webhooks", *arguments, "--data", str(tmp_path), "--json"]) == status
        out, err = capsys.readouterr()
        return err if status else json.loads(out)

    return run


def test_a_webhook_is_added_and_looked_after(okno: Any) -> None:
    added = okno("add", URL, "--type", "MessageReceived")
    assert added["secret"].startswith("whsec_")
    del added["secret"]
    assert okno("list")["items"] == [added]
    assert okno("pause", URL)["items"][0]["state"] == "paused"
    assert okno("resume", added["id"])["items"][0]["state"] == "active"
    assert okno("rewind", URL, "0")["items"][0]["position"] == 0
    assert okno("deliveries", URL) == {"items": [], "next": None}
    assert okno("remove", URL) == {"items": [], "next": None}


def test_wrong_requests_are_told_in_a_line(okno: Any) -> None:
    assert "no webhook 'x'" in okno("pause", "x", status=2)
    assert "http:// can be read" in okno("add", "http://partner.example/", status=2)
    assert "inside a private network" in okno("add", "https://127.0.0.1/", status=2)
    assert "no event 'Nonsense'" in okno("add", URL, "--type", "Nonsense", status=2)
    added = okno("add", URL)
    assert f"webhook {added['id']} (active) sends the same to this URL" in okno("add", URL, status=2)
    okno("add", URL, "--type", "NoteAdded")
    assert "more than one webhook" in okno("remove", URL, status=2)


def test_people_see_the_secret_once_and_a_table(okno: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["webhooks", "add", URL, "--data", str(tmp_path)]) == 0
    assert "not shown again: whsec_" in capsys.readouterr().out
    assert cli.main(["webhooks", "list", "--data", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].split()[1:4] == [URL, "all", "active"]
    assert "whsec_" not in out


async def test_a_running_okno_tells_a_partner_and_after_kill_9_repeats_what_was_not_confirmed(
    start_okno: StartOkno, tmp_path: Path
) -> None:
    settings = {"OKNO_DATA": str(tmp_path), "OKNO_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    house = open_house(read_settings(settings))
    async with partner() as there:
        there.usual = HANG
        _, secret = await house.subscriptions.add(there.url, ["MessageReceived"], 0)
        first = await asyncio.to_thread(start_okno, ["up", "--port", "0"], settings)
        await receive(house, "one")
        await until(lambda: len(there.got) == 1, 60)
        await asyncio.to_thread(first.kill)
        there.usual = OK
        await asyncio.to_thread(start_okno, ["up", "--port", "0"], settings, name="again")
        await receive(house, "two")
        await until(lambda: len(there.got) >= 3, 60)
        assert all(there.is_signed(one, secret) for one in there.got)
    await house.close()
    assert there.got[0].webhook_id == there.got[1].webhook_id
    assert [one.events[0]["data"]["text"] for one in there.got] == ["one", "one", "two"]


async def receive(house: House, text: str) -> None:
    await house.store.record(lambda session, tx: inbound.receive(session, tx, [item(text)]))
