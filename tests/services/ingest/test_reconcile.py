"""What a provider's history has is taken in as its webhooks would have been, once, and its failures are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from services.ingest import reconcile
from services.ingest.directory import Directory
from services.ingest.fetch_queue import FetchQueue
from services.ingest.reconcile import LONGEST, SPAN, Reconciler, Reconciling, has_history
from shared.blobs import Blobs
from shared.clock import now
from shared.connector import Channel, FetchDelayed, Kind
from shared.contracts import topics
from shared.contracts.inbound import InboundMessage
from shared.parsed import RawItem
from tests.examples import AT
from tests.services.fakes import (
    MemoryTransport,
    add_channel,
    item,
    lines_kind,
    loader,
    problem_of,
    registry_of,
    sqlite,
)


@dataclass
class Provider:
    """Tells `told` of any time; an exception in it is raised."""

    told: list[Any] = field(default_factory=list)
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)

    async def history(self, channel: Channel, since: datetime, until: datetime) -> list[RawItem]:
        self.asked.append((since, until))
        for each in self.told:
            if isinstance(each, Exception):
                raise each
        return list(self.told)


@dataclass
class House:
    channel: Channel
    provider: Provider
    transport: MemoryTransport
    reconciling: Reconciling
    database: Any

    def published(self) -> list[str]:
        return [c.text for c in self.transport.contracts(topics.INBOUND) if isinstance(c, InboundMessage)]


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database, transport, provider = sqlite(tmp_path), MemoryTransport(), Provider()
    channel = await add_channel(database, "telephony")
    await add_channel(database, "lines")
    kind = lines_kind("telephony")
    kind.modules["history"] = SimpleNamespace(history=provider.history)
    directory = Directory(registry_of(database))
    await directory.load()
    reconciler = Reconciler(transport.publisher(), Blobs(tmp_path / "blobs"), FetchQueue(database))
    reconciling = Reconciling(database, directory, loader(kind, lines_kind()), reconciler)
    yield House(channel, provider, transport, reconciling, database)
    await database.close()


def test_only_kinds_whose_provider_can_be_asked_have_a_history() -> None:
    assert [has_history(kind) for kind in ("telephony", "web_form", "no such kind")] == [True, False, False]


async def test_what_the_history_tells_is_taken_in_and_not_published_again(house: House) -> None:
    house.provider.told = [item("a@b.c|one", "one"), item("a@b.c|two", "two")]
    await house.reconciling.round(AT)
    house.provider.told = [*house.provider.told, item("a@b.c|three", "three")]
    await house.reconciling.round(AT)
    assert house.published() == ["one", "two", "three"]
    assert house.provider.asked == [(AT - SPAN, AT)] * 2
    assert await problem_of(house.database, house.channel.id) in ("", None)


async def test_a_history_that_cannot_be_read_is_told_until_it_can(house: House) -> None:
    house.provider.told = [FetchDelayed("the provider is away")]
    await house.reconciling.round(AT)
    assert "the provider is away" in str(await problem_of(house.database, house.channel.id))
    house.provider.told = [item("a@b.c|one", "one")]
    await house.reconciling.round(AT)
    assert not await problem_of(house.database, house.channel.id)
    assert house.published() == ["one"]


async def test_a_history_that_is_nonsense_stops_no_other_channel(house: House) -> None:
    house.provider.told = [KeyError("calls")]
    await house.reconciling.round(AT)
    assert "KeyError: 'calls'" in str(await problem_of(house.database, house.channel.id))


async def test_what_could_not_be_published_is_taken_in_by_the_next_round(house: House) -> None:
    house.provider.told = [item("a@b.c|one", "one")]
    house.transport.down = True
    await house.reconciling.round(AT)
    assert await problem_of(house.database, house.channel.id)
    house.transport.down = False
    await house.reconciling.round(AT)
    assert house.published() == ["one"]


@dataclass(frozen=True, slots=True)
class OneEachTime(Reconciler):
    """Has taken in one item when the time of a round is over."""

    rounds: list[str] = field(default_factory=list)

    async def items(self, channel: Channel, kind: Kind, since: datetime, until: datetime) -> list[RawItem]:
        self.rounds.clear()
        return await Reconciler.items(self, channel, kind, since, until)

    async def take_in(self, channel: Channel, kind: Kind, item: RawItem) -> None:
        if self.rounds:
            await asyncio.Event().wait()
        self.rounds.append(item.key)
        await Reconciler.take_in(self, channel, kind, item)


async def test_a_round_that_runs_out_of_time_is_gone_on_with_by_the_next_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "LOOK_SECONDS", 1.0)
    before = house.reconciling._reconciler
    house.reconciling._reconciler = OneEachTime(before.publisher, before.blobs, before.fetches)
    house.provider.told = [item(f"a@b.c|{text}", text) for text in ("one", "two", "three")]
    await house.reconciling.round(AT)
    assert await problem_of(house.database, house.channel.id)
    for _ in range(10):  # two are enough for a machine that is not busy
        await house.reconciling.round(AT)
        if not await problem_of(house.database, house.channel.id):
            break
    assert house.published() == ["one", "two", "three"]
    assert not await problem_of(house.database, house.channel.id)


async def test_a_hole_longer_than_the_usual_look_is_filled_by_itself(house: House) -> None:
    began = now() + 3 * LONGEST  # of the channel we know since long
    await house.reconciling.round(began)
    house.provider.told = [FetchDelayed("the provider is away")]
    for hours in (1, 5):
        await house.reconciling.round(began + timedelta(hours=hours))
    house.provider.told = []
    for hours in (6, 7, 80):
        await house.reconciling.round(began + timedelta(hours=hours))
    reached = [until - since for since, until in house.provider.asked]
    hours_back = [timedelta(hours=h) + SPAN for h in (1, 5, 6, 1)]
    assert reached == [LONGEST, *hours_back, LONGEST]


async def test_calls_of_long_before_a_channel_was_added_are_not_taken_in(house: House) -> None:
    until = now() + timedelta(hours=1)
    await house.reconciling.round(until)
    ((since, _),) = house.provider.asked
    assert until - LONGEST < since <= until - SPAN
