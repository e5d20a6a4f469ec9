from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import pytest

from services.outbound import attempt, worker
from services.outbound.ledger import Ledger
from services.outbound.main import Outbound
from shared.blobs import Blobs
from shared.connector import SendDelayed, SenderBroken, SendFateUnknown, SendRefused, Sent
from shared.contracts import topics
from shared.contracts.codec import encode
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Database, DatabaseUnavailable
from shared.transport.protocol import Outgoing
from tests.services.fakes import (
    AT,
    MemoryTransport,
    add_channel,
    lines_kind,
    loader,
    problem_of,
    registry_of,
    settings_of,
    until,
)
from tests.services.outbound.replies import reply


class Provider:
    """Takes replies; `answers` maps a text to what happens to it."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.answers: dict[str, object] = {}
        self.opened: list[str] = []
        self.closed = 0

    async def send(self, said: OutboundReply) -> Sent:
        self.got.append(said.text)
        answer = self.answers.get(said.text)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        elif isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if isinstance(answer, BaseException):
            raise answer
        return Sent(f"<{said.id}>")

    async def close(self) -> None:
        self.closed += 1

    def sender(self, channel: object, read_file: object) -> Provider:
        self.opened.append(channel.settings.get("password", ""))
        return self


class House:
    """One outbound process's surroundings."""

    def __init__(self, database: Database, folder: object) -> None:
        self.database, self.folder = database, folder
        self.transport, self.provider = MemoryTransport(), Provider()
        self.kind = lines_kind()
        self.kind.modules["send"] = SimpleNamespace(sender=self.provider.sender)
        self.others: list[object] = []

    @asynccontextmanager
    async def running(self, kafka: str = "") -> AsyncIterator[Outbound]:
        outbound = Outbound(
            settings_of(self.folder, kafka),
            self.database,
            self.transport,
            registry_of(self.database),
            Blobs(self.folder / "blobs"),
            loader(self.kind, *self.others),
        )
        await outbound.start()
        watching = asyncio.create_task(outbound.run())
        try:
            yield outbound
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await outbound.stop()

    async def ask(self, *replies: OutboundReply) -> None:
        for said in replies:
            record = encode(said, id=said.id, source="/relay", at=AT)
            await self.transport.publish(
                topics.OUTBOUND, Outgoing(str(said.conversation_id), record.value, record.headers)
            )

    def fates(self) -> dict[object, str]:
        return {(r.reply_id, r.attempt): r.state for r in self.transport.contracts(topics.DELIVERY)}

    async def fate(self, said: OutboundReply) -> str:
        await until(lambda: (said.id, said.attempt) in self.fates())
        return self.fates()[said.id, said.attempt]

    def report(self, said: OutboundReply) -> object:
        return next(r for r in self.transport.contracts(topics.DELIVERY) if r.reply_id == said.id)


@pytest.fixture
def house(database, tmp_path):
    return House(database, tmp_path)


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


async def test_sender_that_cannot_be_opened_keeps_the_reply(house):
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
