"""The commands of the telephone: where an operator is rung, calls from the provider's history, who listened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import pytest

from shared.domain import events as e
from shared.event_store.mapper import About, Happening
from shared.registry.telephones import Telephones
from tests.channels.telephony.servers import Zadarma, served
from tests.channels.telephony.test_history import zadarma_call
from tests.examples import AT, CUSTOMER, MESSAGE, OLGA
from tests.peers.loop_thread import LoopThread
from tests.read_models.contents import show
from tests.services.command_line import Cli


@pytest.fixture
def provider() -> Iterator[Zadarma]:
    """A provider whose history has two calls."""
    server, thread, stack = (
        Zadarma(told=[zadarma_call("in_1"), zadarma_call("in_2")]),
        LoopThread("zadarma"),
        AsyncExitStack(),
    )
    thread.run(stack.enter_async_context(served(server)))
    yield server
    thread.run(stack.aclose())
    thread.close()


def test_an_operators_telephone_is_set_changed_and_forgotten(okno: Cli) -> None:
    added = okno.json("operators", "add", "olga@okno.example", "--telephone", "+7 495 123-45-67")
    olga = UUID(added["id"])

    def kept() -> str:
        return str(okno.in_house(lambda house: Telephones(house.database).of(olga)))

    assert kept() == "+74951234567"
    assert okno.json("operators", "telephone", "olga@okno.example", "101") == {
        "email": "olga@okno.example", "telephone": "101"
    }  # fmt: skip
    assert kept() == "101"
    assert okno("operators", "telephone", "olga@okno.example", "") == "olga@okno.example has no telephone\n"
    assert kept() == ""
    assert "a telephone is a number" in okno.wrong("operators", "telephone", "olga@okno.example", "home")
    assert "a telephone is a number" in okno.wrong("operators", "add", "ben@okno.example", "--telephone", "home")
    assert "no operator" in okno.wrong("operators", "telephone", "ben@okno.example", "101")


def test_calls_are_taken_in_from_the_history_of_the_provider(okno: Cli, provider: Zadarma) -> None:
    settings = ["provider=zadarma", "api_key=zkey", "api_secret=zsecret", f"api_url={provider.url}", "country=RU"]
    pairs = [part for each in settings for part in ("--set", each)]
    added = okno.json("channels", "add", "telephony", "Phone", *pairs, "--no-check")
    times = ("--since", "2026-11-21T00:00:00Z", "--until", "2026-11-22T00:00:00Z")
    (told,) = okno.json("channels", "reconcile", added["id"], *times)["items"]
    assert (told["name"], told["told"]) == ("Phone", 4), "the end of each, and its recording"
    assert "--since is not before" in okno.wrong("channels", "reconcile", added["id"], "--since", "2999-01-01")
    form = okno.json("channels", "add", "web_form", "Site")
    assert "web_form has no history" in okno.wrong("channels", "reconcile", form["id"])


def test_who_has_listened_is_shown(okno: Cli) -> None:
    listen(okno, "recording.mp3")
    (told,) = okno.json("recordings", "heard")["items"]
    assert (told["operator"], told["message_id"]) == ({"id": OLGA.id, "name": "Olga"}, str(MESSAGE))
    assert okno("recordings", "heard").split()[1:3] == ["Olga", "recording.mp3"]
    assert okno.json("recordings", "heard", "--call", str(uuid4())) == {"items": [], "next": None}


def test_those_who_have_listened_are_paged(okno: Cli) -> None:
    listen(okno, "one.mp3", "two.mp3", "three.mp3")
    first = okno.json("recordings", "heard", "--limit", "2")
    assert [each["name"] for each in first["items"]] == ["three.mp3", "two.mp3"]
    rest = okno.json("recordings", "heard", "--limit", "2", "--cursor", first["next"])
    assert ([each["name"] for each in rest["items"]], rest["next"]) == (["one.mp3"], None)
    assert okno.json("recordings", "heard", "--limit", "3")["next"] is None
    assert f"there is more: --cursor {first['next']}" in okno("recordings", "heard", "--limit", "2")
    assert "from 1 on" in okno.wrong("recordings", "heard", "--limit", "0")


def listen(okno: Cli, *names: str) -> None:
    """Olga listens to recordings of these names, one after the other."""

    async def listened(house):  # type: ignore[no-untyped-def]
        for name in names:
            happening = Happening(e.RecordingHeard(uuid4(), MESSAGE, CUSTOMER, name), About(AT, OLGA))
            await house.store.record(lambda session, tx, new=happening: session.append(uuid4(), 1, new))
        await show(house.database)

    okno.in_house(listened)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"provider": "uis", "token": "t" * 16}, "UIS gives its history only with access_token"),
        ({"provider": "generic", "secret": "whsec_" + "A" * 32}, "this telephony has no history that could be asked"),
    ],
)
def test_a_line_whose_provider_cannot_be_asked_is_not_said_to_have_no_holes(
    okno: Cli, settings: dict[str, str], why: str
) -> None:
    pairs = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    line = okno.json("channels", "add", "telephony", "Phone", *pairs)
    assert why in okno.wrong("channels", "reconcile", line["id"])
