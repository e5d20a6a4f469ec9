"""`okno channels`: kinds, adding, checking, pausing, changing, setting up."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from services.house import House
from shared.clock import to_text
from shared.connector import Channel, SetUp, SetUpProblem
from shared.registry.health import report
from tests.examples import AT
from tests.services.command_line import MAILBOX, Cli


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


def test_settings_come_one_by_one_or_several_together(okno: Cli) -> None:
    first, second = "rate_limit=5", "allowed_origins=https://a.example https://b.example"
    for name, words in {
        "A": ("web_form", "A", "--set", first, "--set", second),
        "B": ("web_form", "B", "--set", first, second),
        "C": ("--set", first, second, "web_form", "C"),
        "D": ("web_form", f"--set={first}", second, "D", "--no-check"),
    }.items():
        okno("channels", "add", *words)
        settings = okno.in_house(lambda house, name=name: house.registry.find(name)).channel.settings
        assert (settings["rate_limit"], settings["allowed_origins"]) == (first[11:], second[16:])
    okno("channels", "change", "A", "--set", "rate_limit=6", "country=KZ")
    settings = okno.in_house(lambda house: house.registry.find("A")).channel.settings
    assert (settings["rate_limit"], settings["country"]) == ("6", "KZ")


def test_a_form_answers_through_the_mailbox_that_is_named(okno: Cli) -> None:
    id_ = okno(*MAILBOX).strip()
    form = okno.json("channels", "add", "web_form", "Site", "--set", "reply_channel=Support")
    assert form["address"] == f"http://127.0.0.1:8000/in/forms/{form['id']}"
    found = okno.in_house(lambda house: house.registry.find("Site"))
    assert found.channel.settings["reply_channel"] == id_
    assert "no channel 'Nobody'" in okno.wrong("channels", "add", "web_form", "B", "--set", "reply_channel=Nobody")


def test_a_form_whose_answers_have_no_way_to_leave_is_told_of(okno: Cli) -> None:
    okno(*MAILBOX)
    okno("channels", "add", "web_form", "Site", "--set", "reply_channel=Support")
    no_mailbox = "reply_channel must be an e-mail channel, 'Site' is web_form"
    assert okno.wrong("channels", "add", "web_form", "B", "--set", "reply_channel=Site") == no_mailbox
    assert okno.wrong("channels", "change", "Site", "--set", "reply_channel=Site") == no_mailbox
    assert okno.json("channels", "check", "Site")["items"][0]["problem"] is None
    okno("channels", "remove", "Support")
    removed = "reply_channel was removed: answers have no way to leave"
    assert okno.json("channels", "check", "Site", status=1)["items"][0]["problem"] == removed
    assert f"Site (web_form): {removed}" in okno("doctor", status=1)


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
