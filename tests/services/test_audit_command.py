"""`okno audit` as people and scripts use it."""

from __future__ import annotations

import os

import pytest

from services.commands.audit import LEAVE_BY
from services.house import House
from services.projector.chain import link_next
from shared.contracts import topics
from tests.examples import inbound as item_of
from tests.examples import outgoing
from tests.services.command_line import Cli, okno

__all__ = ["okno"]


@pytest.fixture(autouse=True)
def as_nice_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command steps back behind others; the process of the tests goes on."""
    monkeypatch.setattr(os, "nice", lambda more: 0)


async def link(house: House) -> int:
    return await link_next(house.database)


async def lose_one(house: House) -> None:
    await house.database.write(lambda tx: tx.run("DELETE FROM raw_items"))


async def take_in_and_destroy_the_key(house: House) -> None:
    """As an erasure does with the key of whatever was on its way until then."""
    transport = house.transport()
    await transport.start()
    records = [outgoing(item_of(text), text) for text in ("Hello", "Hello again")]
    await transport.publisher().publish_many(topics.INBOUND, records)
    await transport.close()
    await house.wire_keys.destroy(await house.wire_keys.rotate())


async def change_one_byte(house: House) -> None:
    sql = "UPDATE stored_events SET state = CAST(substr(state, 1, length(state) - 1) || x'00' AS BLOB) WHERE rowid = 3"
    await house.database.write(lambda tx: tx.run(sql))


def test_nothing_is_missing_until_something_is(okno: Cli) -> None:
    okno.receive(item_of("Hello"))
    found = okno.json("audit")
    assert (found["complete"], found["events"], found["holes"], found["channels"][0]["received"]) == (True, 3, [], 1)
    assert "nothing is missing in 3 events" in okno("audit", "--quick")
    okno.in_house(lose_one)
    (hole,) = okno.json("audit", status=1)["holes"]
    assert (hole["kind"], hole["position"]) == ("raw_missing", 3)
    assert "1 holes" in okno("audit", status=1)
    assert okno.json("audit", "--since", "2999-01-01T00:00:00Z")["complete"]


def test_what_is_told_of_replies_cannot_be_taken_for_what_still_waits(okno: Cli) -> None:
    okno.receive(item_of("Hello"))
    heading, *rest = okno("audit").splitlines()
    assert "  replies_asked  replies_sent  replies_failed  replies_unknown  replies_sending  " in heading
    assert LEAVE_BY not in rest
    okno("channels", "add", "web_form", "Site", "--no-check")
    assert LEAVE_BY in okno("audit").splitlines()
    assert okno.json("audit")["channels"][0]["asked"] == 0


def test_records_that_an_erasure_closed_are_counted_and_told_once(okno: Cli, caplog: pytest.LogCaptureFixture) -> None:
    okno("channels", "list")
    assert okno.json("audit")["erased_records"] == 0
    assert "compared" not in okno("audit")
    okno.in_house(take_in_and_destroy_the_key)
    found = okno.json("audit")
    assert (found["complete"], found["erased_records"]) == (True, 2)
    assert okno("audit").count("2 records of the intake could not be compared any more: an erasure") == 1
    assert [record.message for record in caplog.records if record.message == "record_erased"] == []


def test_one_channel_is_asked_for_alone(okno: Cli) -> None:
    id_ = okno("channels", "add", "web_form", "Site", "--no-check").split()[0]
    okno.receive(item_of("Hello"))
    okno.in_house(lose_one)
    found = okno.json("audit", "--channel", "Site")
    assert (found["complete"], [row["id"] for row in found["channels"]]) == (True, [id_])


def test_the_chain_is_verified_and_its_head_can_be_noted(okno: Cli) -> None:
    okno("channels", "list")
    assert okno("audit", "--head") == f"0:{'00' * 32}\n"
    okno.receive(item_of("Hello"))
    assert okno.json("audit", "--verify")["unlinked"] == 3
    okno.in_house(link)
    head = okno("audit", "--head").strip()
    assert okno.json("audit", "--verify", "--against", head) == {
        "verified": True, "events": 3, "links": 1, "head": head, "unlinked": 0, "resealed": 0, "difference": None,
    }  # fmt: skip
    okno.in_house(change_one_byte)
    found = okno.json("audit", "--verify", status=1)["difference"]
    assert (found["what"], found["position"]) == ("changed", 3)
    assert "position 3 was changed" in okno("audit", "--verify", status=1)


def test_wrong_requests_are_told_in_one_line(okno: Cli) -> None:
    okno("channels", "list")
    assert "--against wants POSITION:HASH" in okno.wrong("audit", "--verify", "--against", "7")
    assert "goes with --verify" in okno.wrong("audit", "--against", f"7:{'00' * 32}")
    assert "--since wants a time" in okno.wrong("audit", "--since", "yesterday")
    late = ("--since", "2026-11-22T00:00:00Z", "--until", "2026-11-21T00:00:00Z")
    assert "--since must be before" in okno.wrong("audit", *late)
    assert "no channel" in okno.wrong("audit", "--channel", "Nobody")
    assert "negative" in okno.wrong("audit", "--minutes", "-1")
    assert "too large" in okno.wrong("audit", "--minutes", str(10**15))


async def spoil_the_last(house: House) -> None:
    """Turn a bit in the key's name of the newest event: who opens a house looks at the ends of the log."""
    sql = "SELECT state FROM stored_events WHERE rowid = 3"
    (state,) = await house.database.read(lambda tx: tx.row(sql)) or (b"",)
    changed = state[:3] + bytes([state[3] ^ 1]) + state[4:]
    await house.database.write(lambda tx: tx.run("UPDATE stored_events SET state = ? WHERE rowid = 3", (changed,)))


def test_a_changed_event_is_a_hole_and_named_by_the_chain_whatever_byte_it_is(okno: Cli) -> None:
    okno.receive(item_of("Hello"))
    okno.in_house(link)
    okno.in_house(spoil_the_last)
    assert [(hole["kind"], hole["position"]) for hole in okno.json("audit", status=1)["holes"]] == [("unreadable", 3)]
    assert okno.json("audit", "--verify", status=1)["difference"]["position"] == 3


async def lose_the_keys(house: House) -> None:
    with house.keys.database.writing() as tx:
        tx.run("DELETE FROM key_pages")


def test_with_another_key_store_nothing_is_a_hole(okno: Cli) -> None:
    okno.receive(item_of("Hello"))
    okno.in_house(lose_the_keys)
    assert "the key store has none of the 1 pages" in okno.wrong("audit")
