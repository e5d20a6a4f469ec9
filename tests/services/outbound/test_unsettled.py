"""Replies of unknown fate: a channel that can tell later is asked again, and told is only that they left."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest

from services.outbound import unsettled
from shared.clock import now
from shared.connector import SendFateUnknown, Sent
from tests.services.fakes import add_channel, lines_kind, until
from tests.services.outbound.provider import House, Provider
from tests.services.outbound.replies import reply


class Telling(Provider):
    """Knows later what left."""

    def __init__(self) -> None:
        super().__init__()
        self.left: set[UUID] = set()
        self.asked: list[UUID] = []

    async def settled(self, reply_id: UUID) -> Sent | None:
        self.asked.append(reply_id)
        if reply_id not in self.left:
            return None
        return Sent(f"<{reply_id}>")


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
            await outbound._ask_again.look(began + timedelta(seconds=seconds))
    assert house.provider.asked == [lost.id] * 4


async def test_a_channel_that_fails_to_tell_stops_nothing(house):
    channel = await add_channel(house.database)
    lost, left = reply("lost", channel.id), reply("left", channel.id)
    house.provider.answers = {"lost": SendFateUnknown("cut off"), "left": SendFateUnknown("cut off")}

    async def settled(reply_id: UUID) -> Sent | None:
        if reply_id == lost.id:
            raise RuntimeError("a bug")
        return Sent("<found>")

    house.provider.settled = settled
    async with house.running() as outbound:
        await house.ask(lost, left)
        assert [await house.fate(lost), await house.fate(left)] == ["unknown", "unknown"]
        await outbound._ask_again.look(now() + timedelta(seconds=31))
        await until(lambda: house.fates()[left.id, 1] == "sent")


async def test_a_channel_that_cannot_tell_is_not_asked(house):
    house.kind = lines_kind()
    house.kind.modules["send"] = SimpleNamespace(sender=house.provider.sender)
    channel = await add_channel(house.database)
    lost = reply("lost", channel.id)
    house.provider.answers = {"lost": SendFateUnknown("cut off")}
    async with house.running() as outbound:
        await house.ask(lost)
        assert await house.fate(lost) == "unknown"
        await outbound._ask_again.look(now() + timedelta(minutes=5))
    assert house.provider.asked == []
