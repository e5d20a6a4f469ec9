"""The `okno` command as people and scripts use it: answers, --json, exit statuses, errors in one line."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services import cli
from services.house import House, open_house
from services.projector import inbound
from shared.clock import to_text
from shared.connector import Channel, SetUp, SetUpProblem
from shared.contracts.codec import Contract
from shared.event_store.store import EventStore
from shared.registry.health import report
from shared.settings import read_settings
from tests.examples import AT, Clock
from tests.examples import inbound as item_of
from tests.peers.fixtures import StartOkno
from tests.read_models.contents import show

MAILBOX = (
    "channels", "add", "email", "Support", "--set", "address=support@okno.example", "--set", "imap_host=127.0.0.1",
    "--set", "smtp_host=127.0.0.1", "--set", "imap_password=s3cret", "--set", "smtp_password=s3cret", "--no-check",
)  # fmt: skip


@dataclass
class Cli:
    """Runs commands on one data directory."""

    data: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, status: int = 0) -> str:
        assert cli.main([*arguments, "--data", str(self.data)]) == status
        return self.capture.readouterr().out

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", status=status))

    def wrong(self, *arguments: str, status: int = 2) -> str:
        """Return what a command that fails says: one line."""
        assert cli.main([*arguments, "--data", str(self.data)]) == status
        out, err = self.capture.readouterr()
        assert (out, err.count("\n"), err.startswith("okno: ")) == ("", 1, True)
        return err.removeprefix("okno: ").rstrip()

    def in_house(self, work: Callable[[House], Any]) -> Any:
        async def main() -> Any:
            house = open_house(read_settings({}, self.data))
            try:
                return await work(house)
            finally:
                await house.close()

        return asyncio.run(main())

    def receive(self, *contracts: Contract, at: Clock | None = None) -> Any:
        """Record what came in, as of a moment, and show it."""

        async def work(house: House) -> Any:
            store = EventStore(house.database, at or Clock())
            handled = await store.record(lambda session, tx: inbound.receive(session, tx, contracts))
            await show(house.database)
            return handled.happenings

        return self.in_house(work)


@pytest.fixture
def okno(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    for name in ("DATA", "DATABASE_URL", "KAFKA", "BLOBS", "SECRET_KEY", "PUBLIC_URL"):
        monkeypatch.delenv(f"OKNO_{name}", raising=False)
    # The log of a process goes to its stderr for good; the process of the tests keeps its own.
    monkeypatch.setattr(cli, "set_up_logs", lambda level: None)
    return Cli(tmp_path / "data", capsys)


def test_who_reads_no_further_is_told_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "services.cli", "channels", "kinds", "--data", str(tmp_path)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (130, b"")


# --- channels ---------------------------------------------------------------------------------------------


def test_the_kinds_of_channels_and_their_settings(okno: Cli) -> None:
    kinds = {kind["kind"]: kind for kind in okno.json("channels", "kinds")["items"]}
    assert kinds["email"] == {"kind": "email", "receives_by": "polling", "sends": True}
    assert "web_form" in okno("channels", "kinds")
    fields = {field["field"]: field for field in okno.json("channels", "fields", "email")["items"]}
    assert (fields["imap_password"]["secret"], fields["imap_folder"]["required"]) == (True, False)
    assert "imap_security" in okno("channels", "fields", "email")
    assert "no channel kind 'fax'" in okno.wrong("channels", "fields", "fax")


def test_a_channel_is_added_listed_paused_resumed_and_removed(okno: Cli) -> None:
    id_ = okno(*MAILBOX).strip()
    (listed,) = okno.json("channels", "list")["items"]
    expected = {"id": id_, "kind": "email", "name": "Support", "problem": None, "lag": None, "last_received_at": None}
    assert listed == {**expected, "state": "active"}
    for action, state in (("pause", "paused"), ("resume", "active")):
        okno("channels", action, "Support" if action == "pause" else id_)
        assert okno.json("channels", "list")["items"][0]["state"] == state
    assert okno("channels", "list").splitlines()[1].split()[:3] == [id_, "email", "Support"]
    assert okno.json("channels", "remove", id_) == {
        "items": [{"id": id_, "name": "Support", "state": "removed"}], "next": None
    }  # fmt: skip
    assert okno.json("channels", "list")["items"] == []
    assert "no channel" in okno.wrong("channels", "pause", id_)


def test_a_form_answers_through_the_mailbox_that_is_named(okno: Cli) -> None:
    id_ = okno(*MAILBOX).strip()
    form = okno.json("channels", "add", "web_form", "Site", "--set", "reply_channel=Support")
    assert form["address"] == f"http://127.0.0.1:8000/in/forms/{form['id']}"
    found = okno.in_house(lambda house: house.registry.find("Site"))
    assert found.channel.settings["reply_channel"] == id_
    assert "no channel 'Nobody'" in okno.wrong("channels", "add", "web_form", "B", "--set", "reply_channel=Nobody")


def test_a_channel_that_cannot_be_added_says_why(okno: Cli) -> None:
    okno(*MAILBOX)
    assert okno.wrong(*MAILBOX) == "there is a channel 'Support' already"
    assert "no channel kind 'fax'" in okno.wrong("channels", "add", "fax", "F")
    assert okno.wrong("channels", "add", "email", "B", "--set", "address") == "--set wants KEY=VALUE, not 'address'"
    assert "unknown setting x" in okno.wrong("channels", "add", "email", "B", "--set", "x=1")


def test_a_check_says_no_when_there_is_a_problem(okno: Cli) -> None:
    id_ = okno(*MAILBOX).strip()
    found = okno.in_house(lambda house: house.registry.find(id_)).channel
    assert okno.json("channels", "check", id_)["items"][0]["problem"] is None
    okno.in_house(lambda house: report(house.database, found.id, "receive", "login refused", 3, AT))
    (row,) = okno.json("channels", "check", id_, status=1)["items"]
    assert (row["problem"], row["lag"], row["last_received_at"]) == ("login refused", 3, to_text(AT))
    assert "no channel 'x'" in okno.wrong("channels", "check", "x")


# --- operators --------------------------------------------------------------------------------------------


def test_an_operator_is_added_and_gets_a_token(okno: Cli) -> None:
    added = okno.json("operators", "add", "Olga@okno.example", "--role", "analyst", "--name", "Ольга")
    assert (added["email"], added["role"]) == ("olga@okno.example", "analyst")
    assert added["setup"].startswith("http://127.0.0.1:8000/setup?token=")
    token = okno("tokens", "create", "olga@okno.example")
    assert (len(token.split()), okno.json("tokens", "create", "OLGA@okno.example")["email"]) == (1, "olga@okno.example")
    assert okno.wrong("operators", "add", "olga@okno.example", "--role", "admin").endswith("is an operator already")
    assert "okno operators add" in okno.wrong("tokens", "create", "ben@okno.example")
    assert "works once" in okno("operators", "add", "ben@okno.example", "--role", "operator")


# --- timeline and rebuild ---------------------------------------------------------------------------------


def test_a_timeline_now_and_then_by_address_and_by_id(okno: Cli) -> None:
    clock = Clock(AT)
    okno.receive(item_of("first\x1b[2J"), at=clock)
    clock.forward(60)
    *_, last = okno.receive(item_of("second"), at=clock)
    whole = okno.json("timeline", "anna@example.com")
    assert [entry["text"] for entry in whole["items"]] == ["first\x1b[2J", "second"]
    assert okno.json("timeline", str(last.event.customer_id)) == whole
    assert okno.json("timeline", "Anna@Example.com") == whole
    for as_of in (to_text(AT + timedelta(seconds=1)), "2026-11-21 12:00:30", "2026-11-21T15:00:30+03:00"):
        past = okno.json("timeline", "anna@example.com", "--as-of", as_of)
        assert [entry["text"] for entry in past["items"]] == ["first\x1b[2J"]
    then = ("--as-of", to_text(AT + timedelta(seconds=1)), "--by", "happened")
    happened = okno.json("timeline", "anna@example.com", *then)
    assert [entry["text"] for entry in happened["items"]] == ["first\x1b[2J", "second"]
    head, *lines = okno("timeline", "anna@example.com").splitlines()
    assert head.split() == ["recorded_at", "kind", "direction", "channel", "author", "delivery", "text"]
    assert [line.split()[-1] for line in lines] == ["[2J", "second"]
    assert "\x1b" not in "".join(lines)


def test_a_timeline_that_cannot_be_shown_says_why(okno: Cli) -> None:
    okno.receive(item_of())
    assert okno.wrong("timeline", "nobody@example.com") == "no customer 'nobody@example.com'"
    assert "no customer" in okno.wrong("timeline", str(uuid4()))
    assert "2026-11-21T14:05:00Z" in okno.wrong("timeline", "anna@example.com", "--as-of", "yesterday")


def test_a_kind_that_can_sets_its_channel_up(okno: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def set_up(channel: Channel, public_url: str, say: Callable[[str], None]) -> SetUp:
        if channel.name == "Bad":
            raise SetUpProblem("the provider refuses the secret")
        say("asking the provider")
        return SetUp(("it is called Line 1",), ("privacy mode is on",), {"country": "DE"})

    monkeypatch.setitem(sys.modules, "shared.channels.telephony.setup", SimpleNamespace(set_up=set_up))
    add = (
        "channels",
        "add",
        "telephony",
        "Line",
        "--set",
        "provider=generic",
        "--set",
        "secret=c2VjcmV0c2VjcmV0c2VjcmV0",
    )
    out = okno(*add).splitlines()
    assert out[0] == "asking the provider"
    assert out[-2:] == ["it is called Line 1", "still missing: privacy mode is on"]

    async def settings(house: House) -> Any:
        return (await house.registry.find("Line")).channel.settings["country"]

    assert okno.in_house(settings) == "DE"
    bad = [word.replace("Line", "Bad") for word in add]
    assert okno.wrong(*bad) == "the provider refuses the secret"
    assert [row["name"] for row in okno.json("channels", "list")["items"]] == ["Line"]
    assert okno.json(*bad, "--no-check")["missing"] == []


def test_a_channel_is_set_up_anew_and_a_problem_leaves_it_as_it_was(okno: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    okno(*MAILBOX, "--set", "oauth_refresh_token=old")
    outcomes: list[SetUp | SetUpProblem] = [
        SetUpProblem("no consent"),
        SetUp(("logged in",), ("the consent ends soon",), {"oauth_refresh_token": "new"}),
    ]
    found_empty: list[str] = []

    async def set_up(channel: Channel, public_url: str, say: Callable[[str], None]) -> SetUp:
        found_empty.append(channel.settings["oauth_refresh_token"])
        outcome = outcomes.pop(0)
        if isinstance(outcome, SetUpProblem):
            raise outcome
        say("open a page")
        return outcome

    async def stored(house: House) -> str:
        return (await house.registry.find("Support")).channel.settings["oauth_refresh_token"]

    monkeypatch.setitem(sys.modules, "shared.channels.email.setup", SimpleNamespace(set_up=set_up))
    assert okno.wrong("channels", "renew", "Support") == "no consent"
    assert okno.in_house(stored) == "old"
    said = okno("channels", "renew", "Support").splitlines()
    assert said == ["open a page", "logged in", "still missing: the consent ends soon"]
    assert (okno.in_house(stored), found_empty) == ("new", ["", ""])


def test_settings_are_changed_and_a_problem_leaves_them_as_they_were(
    okno: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    okno(*MAILBOX)
    asked: list[tuple[str, str]] = []

    async def set_up(channel: Channel, public_url: str, say: Callable[[str], None]) -> SetUp:
        asked.append((channel.settings["imap_host"], channel.settings["imap_password"]))
        if channel.settings["imap_host"] == "mail.wrong":
            raise SetUpProblem("nobody there")
        return SetUp(("logged in",))

    async def stored(house: House) -> str:
        return (await house.registry.find("Support")).channel.settings["imap_host"]

    monkeypatch.setitem(sys.modules, "shared.channels.email.setup", SimpleNamespace(set_up=set_up))
    change = ("channels", "change", "Support", "--set")
    assert okno.wrong(*change, "imap_host=mail.wrong") == "nobody there"
    assert okno.in_house(stored) == "127.0.0.1"
    assert okno(*change, "imap_host=mail.right") == "logged in\n"
    assert okno.json(*change, "imap_host=mail.wrong", "--no-check")["facts"] == []
    assert (okno.in_house(stored), asked) == ("mail.wrong", [("mail.wrong", "s3cret"), ("mail.right", "s3cret")])
    assert "imap_hots" in okno.wrong(*change, "imap_hots=typo")
    assert "--set KEY=VALUE" in okno.wrong("channels", "change", "Support")


@pytest.mark.parametrize(("mode", "path"), [("polling", None), ("webhook", "/in/telegram/")])
def test_a_bot_has_an_address_only_in_mode_webhook(okno: Cli, mode: str, path: str | None) -> None:
    token = "token=123456789:" + "A" * 35
    bot = okno.json("channels", "add", "telegram", "Bot", "--set", token, "--set", f"mode={mode}", "--no-check")
    assert bot["address"] == (path and f"http://127.0.0.1:8000{path}{bot['id']}")


def test_history_is_shown_by_todays_rules(okno: Cli) -> None:
    okno.receive(item_of(), item_of())
    assert okno.json("rethread", "--dry-run") == {"items": [], "next": None, "messages": 2}
    with pytest.raises(SystemExit):
        okno("rethread")


def test_read_models_are_rebuilt_and_compared(okno: Cli) -> None:
    okno.receive(item_of(), item_of())
    rows = {row["table"]: row for row in okno.json("rebuild")["items"]}
    none = {"only_live": 0, "only_rebuilt": 0, "changed": 0, "incomparable": None}
    assert rows["timeline"] == {"table": "timeline", "rows": 2, "equal": True, **none}
    okno.in_house(lambda house: house.database.write(lambda tx: tx.run("DELETE FROM timeline")))
    (row, *_) = okno.json("rebuild", "timeline", "--check", status=1)["items"]
    assert (row["equal"], row["only_live"], row["only_rebuilt"]) == (False, 0, 2)
    okno("rebuild", "timeline", status=1)
    assert okno.json("rebuild", "--check")["items"][-1]["equal"]
    assert "no read model nothing" in okno.wrong("rebuild", "nothing")


def test_a_check_names_what_differs(okno: Cli) -> None:
    okno.receive(item_of(), item_of())
    okno.in_house(lambda house: house.database.write(lambda tx: tx.run("UPDATE customers SET name = 'Olga'")))
    answer = okno.json("rebuild", "customers", "--check", status=1)
    (difference,) = answer["differences"]
    assert (difference["table"], difference["what"], difference["column"]) == ("customers", "changed", "name")
    assert (difference["live"], difference["rebuilt"]) == ("Olga", "Anna")
    (customer,) = okno.in_house(lambda house: house.database.read(lambda tx: tx.rows("SELECT id FROM customers")))
    assert difference["key"] == {"id": customer[0]}
    printed = okno("rebuild", "--check", status=1).splitlines()
    assert printed[-2].split() == ["table", "key", "what", "column", "live", "rebuilt"]
    assert printed[-1].split() == ["customers", "id", customer[0], "changed", "name", "Olga", "Anna"]
    assert okno.json("rebuild", "--check", "--show", "0", status=1)["differences"] == []
    assert "--show wants a number" in okno.wrong("rebuild", "--show", "-1")


def test_a_second_rebuild_is_told_that_another_runs(okno: Cli) -> None:
    async def meanwhile(house: House) -> None:
        async with house.database.sole("rebuild"):
            said = await asyncio.to_thread(okno.wrong, "rebuild")
            assert said == "another process is rebuilding read models: wait for its end"

    okno.in_house(meanwhile)
    assert okno.json("rebuild", "--drop")["items"] == []


def test_a_rebuild_says_in_json_lines_how_far_it_is_and_nothing_to_a_file(okno: Cli) -> None:
    okno.receive(item_of())
    assert cli.main(["rebuild", "--json", "--data", str(okno.data)]) == 0
    lines = [json.loads(line) for line in okno.capture.readouterr().err.splitlines()]
    first = {name: lines[0][name] for name in ("step", "done", "total")}
    assert (first, lines[-1]["step"]) == ({"step": "events", "done": 3, "total": 3}, "dropping")
    assert cli.main(["rebuild", "--data", str(okno.data)]) == 0
    assert okno.capture.readouterr().err == ""


def test_an_empty_log_is_rebuilt_too(okno: Cli) -> None:
    assert all(row["equal"] for row in okno.json("rebuild")["items"])


# --- replay -----------------------------------------------------------------------------------------------

FUNNEL = f"{Path(__file__).parents[2] / 'deploy' / 'projections' / 'funnel.py'}:Funnel"


def test_a_projection_of_ones_own_is_run_shown_and_written(okno: Cli, tmp_path: Path) -> None:
    okno.receive(item_of(), item_of())
    funnel = {"channel": "email", "opened": 2, "answered": 0, "within_the_hour": 0, "closed": 0}
    for more in ([], ["--restart"]):
        assert okno.json("replay", FUNNEL, *more)["items"] == [funnel]
    assert okno("replay", FUNNEL).splitlines()[0].split() == list(funnel)
    query = "SELECT '=1+1' AS formula, channel, count(*) AS n FROM funnel"
    for kind, expected in (
        ("csv", "formula,channel,n\r\n'=1+1,email,2\r\n"),
        ("json", '[\n  {\n    "formula": "=1+1",\n    "channel": "email",\n    "n": 2\n  }\n]\n'),
    ):
        file = tmp_path / f"answer.{kind}"
        assert okno("replay", FUNNEL, "--query", query, "--out", str(file)) == f"1 rows in {file}\n"
        assert file.read_bytes().decode() == expected
    with closing(sqlite3.connect(okno.data / "replay" / "funnel.db")) as file_of_its_own:
        assert file_of_its_own.execute("SELECT count(*) FROM funnel").fetchone() == (2,)


def test_a_wrong_replay_is_told_in_one_line(okno: Cli, tmp_path: Path) -> None:
    assert "no file nothing.py" in okno.wrong("replay", "nothing.py:A")
    assert "--out wants a name that ends in .csv or .json" in okno.wrong("replay", FUNNEL, "--out", "a.xlsx")
    assert "neither --until nor --out" in okno.wrong("replay", FUNNEL, "--follow", "--until", "2026-01-01")
    assert "--since wants a time" in okno.wrong("replay", FUNNEL, "--since", "yesterday")
    assert "ATTACH" in okno.wrong("replay", FUNNEL, "--into", "database")
    assert "ATTACH" in okno.wrong("replay", FUNNEL, "--into", str(okno.data / "okno.db"))
    assert "--into wants a file" in okno.wrong("replay", FUNNEL, "--into", "mysql://x")
    assert "the query: OperationalError: no such table: nowhere" in okno.wrong(
        "replay", FUNNEL, "--query", "SELECT * FROM nowhere"
    )


# --- what is wrong from the start -------------------------------------------------------------------------


def test_an_unknown_command_or_option_ends_with_2(okno: Cli) -> None:
    wrong_role = ["operators", "add", "a@b", "--role", "boss"]
    for arguments in (["nothing"], [], ["channels"], wrong_role, ["up", "--port", "x"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 2
    assert "usage: okno" in okno.capture.readouterr().err


@pytest.mark.parametrize("command", [[], ["channels", "add"], ["up"], ["timeline"], ["rebuild"]])
def test_every_command_has_help(okno: Cli, command: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert (ended.value.code, "usage: okno" in okno.capture.readouterr().out) == (0, True)


def test_a_command_loads_no_other(tmp_path: Path) -> None:
    loaded = "[name for name in sys.modules if name.startswith('services.commands.')]"
    code = f"import sys; from services import cli; cli.main(['tokens', 'create', 'nobody']); print({loaded})"
    with_a_folder = {**os.environ, "OKNO_DATA": str(tmp_path)}
    printed = subprocess.run([sys.executable, "-c", code], env=with_a_folder, capture_output=True, text=True)
    assert printed.stdout.strip() == "['services.commands.tokens']"


def test_wrong_settings_are_told_in_one_line(okno: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKNO_DATABASE_URL", "mysql://x")
    assert okno.wrong("channels", "list") == "OKNO_DATABASE_URL must start with sqlite:/// or postgresql://"
    monkeypatch.setenv("OKNO_DATABASE_URL", "sqlite:////tmp/x.db")
    monkeypatch.setenv("OKNO_KAFKA", "127.0.0.1:9092")
    assert "needs a PostgreSQL" in okno.wrong("channels", "list")
    monkeypatch.delenv("OKNO_KAFKA")
    monkeypatch.setenv("OKNO_SECRET_KEY", "short")
    assert "OKNO_SECRET_KEY must be 32 bytes" in okno.wrong("channels", "list")


def test_another_key_is_told_in_one_line(okno: Cli) -> None:
    okno(*MAILBOX)
    (okno.data / "secret.key").unlink()
    assert "OKNO_SECRET_KEY is not the one" in okno.wrong("channels", "list")


def test_a_data_directory_that_is_a_file_is_out_of_reach(okno: Cli) -> None:
    okno.data.write_text("a file")
    assert str(okno.data) in okno.wrong("channels", "list", status=3)


@pytest.mark.parametrize("service", ["ingest", "projector", "outbound", "inbox-api"])
def test_one_service_alone_needs_postgresql(okno: Cli, service: str) -> None:
    assert "`okno up` runs all four" in okno.wrong(service, "--port", "0")


def test_up_prints_where_it_is_and_a_second_one_is_refused(okno: Cli, start_okno: StartOkno, tmp_path: Path) -> None:
    running = start_okno(["up", "--port", "0", "--json"], {"OKNO_DATA": str(okno.data)})
    told = json.loads(running.wait_for_line('"address"'))
    running.wait_for_http(told["address"])
    assert told["setup"].startswith(told["address"] + "/setup?token=")
    assert httpx.get(f"{told['address']}/healthz", trust_env=False, verify=False).text == "ok\n"
    assert "is in use by another Okno" in okno.wrong("up", "--port", "0")
    port = told["address"].rpartition(":")[2]
    okno.data = tmp_path / "other"
    assert f"cannot listen on 127.0.0.1:{port}" in okno.wrong("up", "--port", port)
    assert running.stop() == 0
