"""What is sent, told and committed when a process dies, or the transport or the database is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.outbound import attempt, worker
from services.outbound import ledger as ledger_module
from services.outbound.ledger import Claimed, Ledger
from shared.contracts import topics
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import DatabaseUnavailable
from tests.services.fakes import (
    add_channel,
    until,
)
from tests.services.outbound.provider import House
from tests.services.outbound.replies import reply


@pytest.mark.parametrize(("safe", "fate", "times"), [(True, "sent", 2), (False, "unknown", 1)])
async def test_crash_between_sending_and_the_answer(house, safe, fate, times):
    house.kind.capabilities = replace(house.kind.capabilities, repeat_is_safe=safe)
    channel = await add_channel(house.database)
    said = reply("cut", channel.id)
    dead = Ledger(house.database, "dead")
    await dead.accept([said])
    assert len(await dead.claim({channel.id: 1})) == 1
    house.provider.got.append("cut")  # the dead process's send
    async with house.running():
        assert await house.fate(said) == fate
    assert house.provider.got == ["cut"] * times


async def test_in_the_cluster_another_living_process_keeps_what_it_sends(house):
    channel = await add_channel(house.database)
    living = Ledger(house.database, "living")
    await living.accept([reply("theirs", channel.id)])
    await living.claim({channel.id: 1})
    async with house.running(kafka="kafka:9092"):
        await asyncio.sleep(0.3)
    assert house.provider.got == []
    assert house.fates() == {}


@pytest.mark.parametrize("any_database", ["postgres"], indirect=True)
@pytest.mark.cluster
async def test_two_processes_on_one_database_send_everything_once(any_database, tmp_path):
    house = House(any_database, tmp_path)
    channel = await add_channel(any_database)
    replies = [reply(str(n), channel.id) for n in range(40)]
    async with house.running(kafka="k"), house.running(kafka="k"):
        await house.ask(*replies)
        for said in replies:
            assert await house.fate(said) == "sent"
    assert sorted(house.provider.got, key=int) == [str(n) for n in range(40)]


async def test_fate_is_told_after_the_transport_came_back(house):
    channel = await add_channel(house.database)
    said = reply("x", channel.id)
    async with house.running():
        await house.ask(said)
        house.transport.down = True
        await until(lambda: house.provider.got == ["x"])
        await asyncio.sleep(0.1)
        assert house.fates() == {}
        house.transport.down = False
        assert await house.fate(said) == "sent"
    assert house.provider.got == ["x"]


async def test_fate_left_untold_by_a_crash_is_told_at_the_next_start(house):
    channel = await add_channel(house.database)
    said = reply("x", channel.id)
    dead = Ledger(house.database, "dead")
    await dead.accept([said])
    (first,) = await dead.claim({channel.id: 1})
    await dead.settle(first, attempt.Outcome("sent", external_id="<x>"))
    async with house.running():
        assert await house.fate(said) == "sent"
    assert house.provider.got == []


async def test_nothing_is_committed_before_it_is_in_the_ledger(house, monkeypatch):
    channel = await add_channel(house.database)
    said = reply(channel=channel.id)
    async with house.running() as outbound:
        accept, failures = outbound._ledger.accept, [DatabaseUnavailable("full")]

        async def failing(replies: list[OutboundReply]) -> None:
            if failures:
                assert house.transport.committed[topics.OUTBOUND] == 0
                raise failures.pop()
            await accept(replies)

        monkeypatch.setattr(outbound._ledger, "accept", failing)
        await house.ask(said)
        assert await house.fate(said) == "sent"
    assert failures == []


async def test_outcome_is_written_once_the_database_is_back(house, monkeypatch):
    channel = await add_channel(house.database)
    said = reply(channel=channel.id)
    async with house.running() as outbound:
        settle, failures = outbound._ledger.settle, [DatabaseUnavailable("away")]

        async def failing(*arguments: object) -> bool:
            if failures:
                raise failures.pop()
            return await settle(*arguments)

        monkeypatch.setattr(outbound._ledger, "settle", failing)
        await house.ask(said)
        assert await house.fate(said) == "sent"
    assert len(house.provider.got) == 1


async def test_a_claim_that_was_committed_and_never_answered_is_sent_all_the_same(house, monkeypatch):
    """The database hung, and was given up."""
    monkeypatch.setattr(ledger_module, "LEASE", timedelta(seconds=0.2))
    monkeypatch.setattr(worker, "RENEW_SECONDS", 0.1)
    house.kind.capabilities = replace(house.kind.capabilities, repeat_is_safe=True)
    channel = await add_channel(house.database)
    said = reply("x", channel.id)
    async with house.running() as outbound:
        claim, failures = outbound._ledger.claim, [DatabaseUnavailable("the server has not answered for 120 s")]

        async def answers_late(places: dict[UUID, int]) -> list[Claimed]:
            claimed = await claim(places)
            if claimed and failures:
                raise failures.pop()
            return claimed

        monkeypatch.setattr(outbound._ledger, "claim", answers_late)
        await house.ask(said)
        assert await house.fate(said) == "sent"
    assert (house.provider.got, failures) == (["x"], [])


async def test_bug_in_a_background_task_ends_the_service(house, monkeypatch):
    async with house.running() as outbound:

        async def broken(_: object) -> list:
            raise ZeroDivisionError

        monkeypatch.setattr(outbound._ledger, "claim", broken)
        await add_channel(house.database)
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(outbound.run(), 20)
        assert outbound.ready() == "outbound-send has stopped"


async def test_stop_lets_a_send_in_progress_end(house):
    channel = await add_channel(house.database)
    said, gate = reply("slow", channel.id), asyncio.Event()
    house.provider.answers["slow"] = gate
    async with house.running():
        await house.ask(said)
        await until(lambda: house.provider.got == ["slow"])
        asyncio.get_running_loop().call_later(0.2, gate.set)
    (state,) = await house.database.read(lambda tx: tx.row("SELECT state FROM deliveries"))
    assert state == "sent"
