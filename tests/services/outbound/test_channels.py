"""Replies and the state of their channel: gone, new, paused, broken, mended."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from types import SimpleNamespace
from uuid import uuid4

import pytest

from services.outbound import pauses, worker
from shared.connector import ChannelDelayed, SenderBroken, Sent
from shared.contracts.outbound import OutboundReply
from tests.services.fakes import (
    add_channel,
    lines_kind,
    problem_of,
    registry_of,
    until,
)
from tests.services.outbound.provider import Provider
from tests.services.outbound.replies import reply


@pytest.mark.parametrize("missing", ["no such channel", "removed", "cannot send"])
async def test_reply_without_a_way_out_has_failed_in_words(house, missing):
    mute = lines_kind("mute", sends=False)
    house.others.append(mute)
    channel = await add_channel(house.database, "mute" if missing == "cannot send" else "lines")
    if missing == "removed":
        await registry_of(house.database).set_state(channel.id, "removed")
    said = reply(channel=uuid4() if missing == "no such channel" else channel.id)
    async with house.running():
        await house.ask(said)
        assert await house.fate(said) == "failed"
    assert house.report(said).error == worker.GONE


async def test_channel_added_a_moment_ago_is_found(house):
    async with house.running():
        channel = await add_channel(house.database)
        said = reply(channel=channel.id)
        await house.ask(said)
        assert await house.fate(said) == "sent"


async def test_paused_channel_sends_when_it_is_resumed(house):
    channel, registry = await add_channel(house.database), registry_of(house.database)
    await registry.set_state(channel.id, "paused")
    said = reply(channel=channel.id)
    async with house.running():
        await house.ask(said)
        await asyncio.sleep(0.2)
        assert house.provider.got == []
        await registry.set_state(channel.id, "active")
        assert await house.fate(said) == "sent"


async def test_refused_login_rests_the_channel_and_a_change_of_it_tries_again(house):
    channel = await add_channel(house.database, password="wrong")
    first, second = reply("1", channel.id), reply("2", channel.id)
    broken = [SenderBroken("login refused")]
    house.provider.answers = {"1": broken, "2": broken}
    async with house.running():
        await house.ask(first)
        await until(lambda: house.provider.got == ["1"])
        await until(lambda: _is_problem(house, channel, "login refused"))
        await house.ask(second)
        await asyncio.sleep(0.2)
        assert house.provider.got == ["1"]
        await house.database.write(
            lambda tx: (tx.run("UPDATE channels SET settings = ?", ('{"password": "right"}',)), tx.notify("channels"))
        )
        assert [await house.fate(first), await house.fate(second)] == ["sent", "sent"]
        await until(lambda: _is_problem(house, channel, ""))
    assert house.provider.opened == ["wrong", "right"]
    assert house.provider.closed == 2


async def _is_problem(house, channel, text):
    return await problem_of(house.database, channel.id) == text


async def test_sender_that_cannot_be_opened_keeps_the_reply(house, monkeypatch):
    monkeypatch.setattr(pauses, "refused_seconds", lambda refusals, _: 0.05)
    channel = await add_channel(house.database)
    said, opens = reply(channel=channel.id), [ImportError("no library")]

    def sender(channel: object, read_file: object) -> Provider:
        if opens:
            raise opens.pop()
        return house.provider

    house.kind.modules["send"] = SimpleNamespace(sender=sender)
    async with house.running():
        await house.ask(said)
        assert await house.fate(said) == "sent"
    assert house.report(said).tries == 2


class Busy(Provider):
    """Wants a pause from the whole channel until `quiet`, and notes when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.quiet = False
        self.asked_at: list[float] = []

    async def send(self, said: OutboundReply) -> Sent:
        self.asked_at.append(asyncio.get_running_loop().time())
        if not self.quiet and said.action == "message":
            raise ChannelDelayed("too many requests", "429", retry_after_seconds=0.4, rests_seconds=0.4)
        return await super().send(said)


async def test_replies_of_a_channel_that_wants_a_pause_are_not_taken_until_it_is_over(house):
    channel = await add_channel(house.database)
    house.use(busy := Busy())
    replies = [reply(str(n), channel.id) for n in range(30)]
    async with house.running():
        await house.ask(*replies)
        await until(lambda: len(busy.asked_at) > worker.PLACES + 2)
        await until(lambda: _is_problem(house, channel, "too many requests"))
        trials = busy.asked_at[worker.PLACES - 1 :]
        assert min(b - a for a, b in pairwise(trials)) > 0.3
        (tries,) = await house.database.read(lambda tx: tx.row("SELECT SUM(tries) FROM deliveries"))
        assert tries <= len(busy.asked_at) + 1
        busy.quiet = True
        assert {await house.fate(said) for said in replies} == {"sent"}
        await until(lambda: _is_problem(house, channel, ""))


async def test_an_edit_that_passes_does_not_end_the_pause_of_a_channel(house):
    channel = await add_channel(house.database)
    house.use(busy := Busy())
    edit = reply("edit", channel.id, action="edit", target="7:1")
    async with house.running():
        await house.ask(*(reply(str(n), channel.id) for n in range(worker.PLACES)))
        await until(lambda: len(busy.asked_at) == worker.PLACES)
        await house.ask(edit, *(reply(f"later {n}", channel.id) for n in range(20)))
        assert await house.fate(edit) == "sent"
        asked = len(busy.asked_at)
        await asyncio.sleep(0.1)
        assert len(busy.asked_at) <= asked + 1
