"""Replies of unknown fate: a channel that can tell later is asked again, and told is only that they left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from services.outbound import unsettled
from services.outbound.main import Outbound
from shared.clock import now
from shared.connector import SendDelayed, SendFateUnknown, Sent
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Database, DatabaseUnavailable
from tests.services.fakes import add_channel, lines_kind, registry_of, until
from tests.services.outbound.provider import House, Provider
from tests.services.outbound.replies import reply


class Telling(Provider):
    """Knows later what left; `away` are channels that cannot be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.left: set[UUID] = set()
        self.asked: list[UUID] = []
        self.logins: list[UUID] = []
        self.away: dict[UUID, Exception] = {}
        self.hung: set[UUID] = set()
        self.bugs: set[UUID] = set()

    def sender(self, channel: object, read_file: object) -> _OfChannel:
        return _OfChannel(self, channel.id)


class _OfChannel:
    def __init__(self, provider: Telling, channel_id: UUID) -> None:
        self.provider, self.channel_id = provider, channel_id
        self.send, self.close = provider.send, provider.close

    @asynccontextmanager
    async def settling(self) -> AsyncIterator[Callable[[UUID], Awaitable[Sent | None]]]:
        self.provider.logins.append(self.channel_id)
        if problem := self.provider.away.get(self.channel_id):
            raise problem
        if self.channel_id in self.provider.hung:
            await asyncio.Event().wait()
        yield self.settled

    async def settled(self, reply_id: UUID) -> Sent | None:
        self.provider.asked.append(reply_id)
        if reply_id in self.provider.bugs:
            raise RuntimeError("a bug")
        return Sent(f"<{reply_id}>") if reply_id in self.provider.left else None


class Away:
    """A database that takes no writes while it is away."""

    def __init__(self, database: Database) -> None:
        self._database, self.away = database, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, job: Callable[[Any], Any], **more: bool) -> Any:
        if self.away:
            raise DatabaseUnavailable("away")
        return await self._database.write(job, **more)


@pytest.fixture
def house(any_database, tmp_path):
    house = House(any_database, tmp_path)
    house.provider = Telling()
    house.kind = lines_kind(tells_later=True)
    house.kind.modules["send"] = SimpleNamespace(sender=house.provider.sender)
    return house


async def test_what_is_found_later_was_sent_and_is_told_once(house, monkeypatch):
    monkeypatch.setattr(unsettled, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(unsettled, "PAUSES_SECONDS", (0.0,))
    channel = await add_channel(house.database)
    lost, left = reply("lost", channel.id), reply("left", channel.id)
    house.provider.answers = {"lost": SendFateUnknown("cut off"), "left": SendFateUnknown("cut off")}
    async with house.running():
        await house.ask(lost, left)
        assert [await house.fate(lost), await house.fate(left)] == ["unknown", "unknown"]
        house.provider.left = {left.id}
        await until(lambda: house.fates()[left.id, 1] == "sent")
        asked = house.provider.asked.count(lost.id)
        await until(lambda: house.provider.asked.count(lost.id) > asked + 2)
    told = [(r.reply_id, r.state, r.external_id) for r in house.transport.contracts("okno.delivery")]
    assert sorted(told[2:]) == [(left.id, "sent", f"<{left.id}>")]
    assert house.fates()[lost.id, 1] == "unknown"
    assert house.provider.got == ["lost", "left"]


async def test_it_is_asked_less_and_less_often_and_given_up_after_a_day(house):
    channel = await add_channel(house.database)
    lost = reply("lost", channel.id)
    house.provider.answers = {"lost": SendFateUnknown("cut off")}
    async with house.running() as outbound:
        await house.ask(lost)
        assert await house.fate(lost) == "unknown"
        began = now()
        for seconds in (1, 31, 32, 92, 93, 213, 24 * 3600 - 60, 24 * 3600 + 60):
            await look(outbound, began + timedelta(seconds=seconds))
    assert house.provider.asked == [lost.id] * 4


async def look(outbound: Outbound, at: datetime) -> None:
    """Ask about what is due and wait for all answers."""
    await asyncio.gather(*await outbound._ask_again.look(at))


async def lose(house, *lost: OutboundReply) -> None:
    """Hand replies over whose fate nobody knows."""
    house.provider.answers = {each.text: SendFateUnknown("cut off") for each in lost}
    await house.ask(*lost)
    assert {await house.fate(each) for each in lost} == {"unknown"}


async def test_a_reply_that_cannot_be_asked_about_stops_no_other(house):
    channel = await add_channel(house.database)
    lost, left = reply("lost", channel.id), reply("left", channel.id)
    house.provider.bugs, house.provider.left = {lost.id}, {left.id}
    async with house.running() as outbound:
        await lose(house, lost, left)
        began = now()
        for seconds in (31, 62, 93):
            await look(outbound, began + timedelta(seconds=seconds))
        await until(lambda: house.fates()[left.id, 1] == "sent")
        assert house.fates()[lost.id, 1] == "unknown"


async def test_dead_mailboxes_starve_no_other(house, monkeypatch):
    monkeypatch.setattr(unsettled, "AT_ONCE", 2)
    dead, good = await add_channel(house.database), await add_channel(house.database)
    lost, left = [reply(f"lost {n}", dead.id) for n in range(5)], reply("left", good.id)
    house.provider.away, house.provider.left = {dead.id: SendDelayed("no answer")}, {left.id}
    async with house.running() as outbound:
        await lose(house, *lost)
        await lose(house, left)
        began = now()
        await look(outbound, began + timedelta(seconds=31))
        await until(lambda: house.fates()[left.id, 1] == "sent")
        assert house.provider.logins == [dead.id, good.id]


async def test_a_mailbox_that_hangs_holds_neither_the_answers_of_others_nor_their_next_look(house, monkeypatch):
    monkeypatch.setattr(unsettled, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(unsettled, "PAUSES_SECONDS", (0.0,))
    dead, good = await add_channel(house.database), await add_channel(house.database)
    house.provider.hung = {dead.id}
    async with house.running():
        await lose(house, reply("lost", dead.id))
        await until(lambda: house.provider.logins == [dead.id])
        for each in (reply("first", good.id), reply("second", good.id)):
            await lose(house, each)
            house.provider.left.add(each.id)
            await until(lambda id_=each.id: house.fates()[id_, 1] == "sent")
        assert house.provider.logins.count(dead.id) == 1


async def test_many_mailboxes_that_hang_leave_their_places_to_others(house, monkeypatch):
    monkeypatch.setattr(unsettled, "PLACE_SECONDS", 0.05)
    hung = [await add_channel(house.database) for _ in range(unsettled.CHANNELS_AT_ONCE + 1)]
    good = await add_channel(house.database)
    house.provider.hung = {each.id for each in hung}
    left = reply("left", good.id)
    house.provider.left = {left.id}
    async with house.running() as outbound:
        await lose(house, *(reply(f"lost {n}", each.id) for n, each in enumerate(hung)), left)
        asking = [asyncio.create_task(each) for each in await outbound._ask_again.look(now() + timedelta(seconds=31))]
        await until(lambda: house.fates()[left.id, 1] == "sent")
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    assert len(house.provider.logins) == len(hung) + 1


async def test_mailboxes_that_failed_are_asked_after_all_others(house, monkeypatch):
    monkeypatch.setattr(unsettled, "CHANNELS_AT_ONCE", 1)
    dead, good = await add_channel(house.database), await add_channel(house.database)
    house.provider.away = {dead.id: SendDelayed("no answer")}
    async with house.running() as outbound:
        await lose(house, reply("lost", dead.id))
        began = now()
        await look(outbound, began + timedelta(seconds=31))
        await lose(house, reply("left", good.id))
        await look(outbound, began + timedelta(seconds=90))
    assert house.provider.logins == [dead.id, good.id, dead.id]


async def test_what_cannot_be_written_is_asked_about_at_the_next_look(house):
    channel = await add_channel(house.database)
    left = [reply("one", channel.id), reply("two", channel.id)]
    house.provider.left, house.database = {each.id for each in left}, Away(house.database)
    async with house.running() as outbound:
        await lose(house, *left)
        began, house.database.away = now(), True
        await look(outbound, began + timedelta(seconds=31))
        house.database.away = False
        await look(outbound, began + timedelta(seconds=46))
        await until(lambda: [house.fates()[each.id, 1] for each in left] == ["sent", "sent"])
    assert len(house.provider.asked) == 4


async def test_a_mailbox_that_is_away_is_asked_less_and_less_often_until_it_is_changed(house):
    channel = await add_channel(house.database)
    house.provider.away = {channel.id: SendDelayed("login refused")}
    async with house.running() as outbound:
        await lose(house, reply("lost", channel.id))
        began = now()
        for seconds in (31, 46, 61, 76, 121, 122, 240, 241, 500, 541):
            await look(outbound, began + timedelta(seconds=seconds))
        assert len(house.provider.logins) == 5
        for state in ("paused", "active"):
            await registry_of(house.database).set_state(channel.id, state)
            await outbound._look_at_channels()
        await look(outbound, began + timedelta(seconds=1200))
        await look(outbound, began + timedelta(seconds=1230))
        assert len(house.provider.logins) == 7


async def test_each_is_looked_at_in_turn_by_one_login_for_all(house, monkeypatch):
    monkeypatch.setattr(unsettled, "AT_ONCE", 2)
    channel = await add_channel(house.database)
    lost = [reply(str(n), channel.id) for n in range(4)]
    async with house.running() as outbound:
        for each in lost:
            await lose(house, each)
        began = now()
        for seconds in (31, 200, 400):
            await look(outbound, began + timedelta(seconds=seconds))
    assert house.provider.asked == [each.id for each in (*lost, *lost[:2])]
    assert house.provider.logins == [channel.id] * 3


async def test_a_channel_that_cannot_tell_is_not_asked(house):
    house.kind = lines_kind()
    house.kind.modules["send"] = SimpleNamespace(sender=house.provider.sender)
    channel = await add_channel(house.database)
    lost = reply("lost", channel.id)
    house.provider.answers = {"lost": SendFateUnknown("cut off")}
    async with house.running() as outbound:
        await house.ask(lost)
        assert await house.fate(lost) == "unknown"
        await look(outbound, now() + timedelta(minutes=5))
    assert house.provider.asked == []
