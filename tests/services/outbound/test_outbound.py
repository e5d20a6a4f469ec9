"""From a request to a fate: a reply leaves once, in its order, and how it ended is told."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from services.outbound import worker
from shared.connector import SendDelayed, SendFateUnknown, SendRefused
from shared.contracts import topics
from shared.transport.protocol import Outgoing
from tests.services.fakes import (
    add_channel,
    until,
)
from tests.services.outbound.replies import reply


async def test_reply_is_sent_and_its_fate_told_with_the_providers_id(house):
    channel = await add_channel(house.database)
    said = reply(channel=channel.id)
    async with house.running() as outbound:
        await house.ask(said)
        assert await house.fate(said) == "sent"
        assert outbound.ready() is None
    assert house.report(said).external_id == f"<{said.id}>"
    assert house.transport.records[topics.DELIVERY][0].key == str(said.conversation_id)
    assert house.provider.closed == 1


@pytest.mark.alone
async def test_reply_leaves_within_fifty_milliseconds(house):
    channel = await add_channel(house.database)
    async with house.running():
        warm = reply("warm", channel.id)
        await house.ask(warm)
        await house.fate(warm)
        times = []
        for n in range(5):
            started = asyncio.get_running_loop().time()
            await house.ask(reply(str(n), channel.id))
            await until(lambda n=n: str(n) in house.provider.got)
            times.append(asyncio.get_running_loop().time() - started)
    assert sorted(times)[2] < 0.05


async def test_record_that_comes_twice_is_sent_once(house):
    channel = await add_channel(house.database)
    said = reply("once", channel.id)
    async with house.running():
        await house.ask(said, said)
        await house.fate(said)
        await house.ask(said)
        await until(lambda: house.transport.committed[topics.OUTBOUND] == 3)
        await asyncio.sleep(0.1)
    assert house.provider.got == ["once"]


async def test_refused_reply_has_failed_with_the_providers_words(house):
    channel = await add_channel(house.database)
    said = reply("bad", channel.id)
    house.provider.answers["bad"] = SendRefused("mailbox unknown", "550")
    async with house.running():
        await house.ask(said)
        assert await house.fate(said) == "failed"
    assert (house.report(said).error, house.report(said).code) == ("mailbox unknown", "550")


async def test_delayed_reply_is_sent_when_its_time_has_come(house):
    channel = await add_channel(house.database)
    said = reply("busy", channel.id)
    house.provider.answers["busy"] = [SendDelayed("busy", retry_after_seconds=0)]
    async with house.running():
        await house.ask(said)
        assert await house.fate(said) == "sent"
    assert house.provider.got == ["busy", "busy"]
    assert house.report(said).tries == 2


async def test_lost_answer_leaves_the_fate_unknown(house):
    channel = await add_channel(house.database)
    said = reply("lost", channel.id)
    house.provider.answers["lost"] = SendFateUnknown("connection lost after DATA")
    async with house.running():
        await house.ask(said)
        assert await house.fate(said) == "unknown"
    assert house.provider.got == ["lost"]


@pytest.mark.parametrize("bug", [KeyError("oops"), asyncio.CancelledError(), RecursionError()])
async def test_bug_in_a_sender_makes_one_fate_unknown_and_others_go_on(house, bug):
    channel = await add_channel(house.database)
    bad, good = reply("bad", channel.id), reply("good", channel.id)
    house.provider.answers["bad"] = bug
    async with house.running() as outbound:
        await house.ask(bad, good)
        assert [await house.fate(bad), await house.fate(good)] == ["unknown", "sent"]
        assert outbound.ready() is None
    assert "unexpected error" in house.report(bad).error


async def test_provider_that_never_answers_is_left_after_the_deadline(house):
    channel = await add_channel(house.database)
    said = reply("slow", channel.id)
    house.provider.answers["slow"] = asyncio.Event()
    async with house.running() as outbound:
        outbound._worker._send_seconds = 0.05
        await house.ask(said)
        assert await house.fate(said) == "unknown"
    assert house.report(said).code == "timeout"


async def test_slow_channel_delays_only_itself(house):
    slow, quick = await add_channel(house.database), await add_channel(house.database)
    gate = asyncio.Event()
    texts = [f"slow {n}" for n in range(8)]
    house.provider.answers = dict.fromkeys(texts, gate)
    stuck, other = [reply(text, slow.id) for text in texts], reply("quick", quick.id)
    async with house.running():
        await house.ask(*stuck, other)
        assert await house.fate(other) == "sent"
        assert house.provider.got.count("quick") == 1
        assert len(house.provider.got) == worker.PLACES + 1
        gate.set()
        assert {await house.fate(said) for said in stuck} == {"sent"}


async def test_conversation_keeps_its_order(house):
    channel, conversation = await add_channel(house.database), uuid4()
    replies = [reply(str(n), channel.id, conversation) for n in range(6)]
    house.provider.answers["0"] = [SendDelayed("busy", retry_after_seconds=0)]
    async with house.running():
        await house.ask(*replies)
        await house.fate(replies[-1])
    assert house.provider.got == ["0", "0", "1", "2", "3", "4", "5"]
    assert [r.reply_id for r in house.transport.contracts(topics.DELIVERY)] == [said.id for said in replies]


async def test_what_is_no_reply_goes_to_the_dead_letters_and_the_next_goes_on(house):
    channel = await add_channel(house.database)
    said = reply(channel=channel.id)
    async with house.running():
        await house.transport.publish(topics.OUTBOUND, Outgoing("k", b"{", {"ce_type": "nonsense"}))
        await house.ask(said)
        assert await house.fate(said) == "sent"
    (dead,) = house.transport.records[topics.DEAD_LETTERS]
    assert dead.value == b"{"
    assert dead.headers["okno-reason"] == "unknown event type 'nonsense'"
