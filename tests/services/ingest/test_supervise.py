from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from types import SimpleNamespace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.ingest import supervise
from services.ingest.backoff import backoff_seconds
from services.ingest.directory import Directory
from services.ingest.health import HealthReports
from services.ingest.kept_settings import KeptSettings
from services.ingest.lease import Lease, LeaseLost
from services.ingest.metrics import lag_of
from services.ingest.supervise import Supervisor
from shared.connector import ReceiverRefused
from shared.database.protocol import DatabaseUnavailable
from shared.refusals import refused_seconds
from shared.registry.cursors import take_lease
from tests.services.fakes import add_channel, lines_kind, loader, registry_of, until


class Mailboxes:
    """A polling kind; `what` maps a channel's name to what its receiver does."""

    def __init__(self) -> None:
        self.what: dict[str, object] = {}
        self.started: list[str] = []
        self.running: list[str] = []
        self.kind = lines_kind("box", receives_by="polling")
        self.kind.modules["receive"] = SimpleNamespace(receiver=self.receiver)

    def receiver(self, channel: object, inlet: object) -> object:
        return SimpleNamespace(run=lambda: self.run(channel, inlet))

    async def run(self, channel: object, inlet: object) -> None:
        self.started.append(channel.name)
        what = self.what.get(channel.name)
        self.running.append(channel.name)
        try:
            if isinstance(what, BaseException):
                raise what
            if what == "returns":
                return
            if what == "blocks":
                await asyncio.sleep(3600)
            inlet.report(lag=0)
            await asyncio.Event().wait()
        finally:
            self.running.remove(channel.name)


@pytest.fixture
def boxes():
    return Mailboxes()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(supervise, "backoff_seconds", lambda failures, chance: 0.02)


@asynccontextmanager
async def supervised(database, boxes, owner="me", good_seconds=60.0, lease_seconds=15.0):
    directory, health = Directory(registry_of(database)), HealthReports(database)
    await directory.load()
    supervisor = Supervisor(
        directory,
        loader(boxes.kind, lines_kind()),
        lambda channel, kind: SimpleNamespace(
            report=lambda lag=None, problem=None: health.report(channel.id, problem or "", lag)
        ),
        lambda channel_id: Lease(database, channel_id, owner, lease_seconds),
        health,
        KeptSettings(registry_of(database)),
        good_seconds,
    )
    tasks = [asyncio.create_task(supervisor.run()), asyncio.create_task(directory.run())]
    try:
        yield health
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [r for r in results if not isinstance(r, asyncio.CancelledError)] == []


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_stay_between_a_second_and_a_minute(failures, chance):
    assert 1 <= backoff_seconds(failures, chance) <= 60


def test_pauses_double():
    assert [backoff_seconds(n, 0.5) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_receivers_follow_the_channels(database, boxes):
    registry = registry_of(database)
    first = await add_channel(database, "box", "first")
    await add_channel(database, "lines", "a webhook channel")
    async with supervised(database, boxes):
        await until(lambda: boxes.running == ["first"])
        await add_channel(database, "box", "second")
        await until(lambda: boxes.running == ["first", "second"])
        lag_of(first).set(7)
        await registry.set_state(first.id, "paused")
        await until(lambda: boxes.running == ["second"])
        await until(lambda: REGISTRY.get_sample_value("okno_ingest_channel_lag_items", {
            "kind": "box", "channel": str(first.id), "name": "first"
        }) is None)  # fmt: skip
        await registry.set_state(first.id, "active")
        await until(lambda: boxes.running == ["second", "first"])
        await registry.set_state(first.id, "removed")
        await until(lambda: boxes.running == ["second"])
    assert boxes.running == []


async def test_changed_channel_starts_again_with_its_new_settings(database, boxes):
    await add_channel(database, "box", "box")
    async with supervised(database, boxes):
        await until(lambda: boxes.running == ["box"])
        await database.write(
            lambda tx: (tx.run('UPDATE channels SET settings = \'{"a": "b"}\''), tx.notify("channels"))
        )
        await until(lambda: boxes.started == ["box", "box"] and boxes.running == ["box"])


@pytest.mark.parametrize("what", [ConnectionError("refused"), KeyError("bug"), "returns", asyncio.CancelledError()])
async def test_receiver_that_fails_shows_its_problem_and_starts_again_while_others_run(database, boxes, what):
    bad = await add_channel(database, "box", "bad")
    await add_channel(database, "box", "good")
    boxes.what["bad"] = what
    async with supervised(database, boxes) as health:
        await until(lambda: boxes.started.count("bad") >= 3)
        assert health.problem(bad.id) != ""
        assert boxes.started.count("good") == 1
        boxes.what["bad"] = None
        await until(lambda: sorted(boxes.running) == ["bad", "good"])
        await until(lambda: health.problem(bad.id) == "")


def test_a_provider_that_does_not_let_us_in_is_left_alone_for_an_hour_in_the_end():
    assert [refused_seconds(n, 0.5) for n in range(1, 8)] == [10, 30, 60, 900, 1800, 3600, 3600]
    assert (refused_seconds(4, 0), refused_seconds(4, 1)) == (675, 1125)


async def test_a_refused_login_is_not_tried_again_soon_and_says_when(database, boxes, monkeypatch):
    asked = []
    monkeypatch.setattr(supervise, "refused_seconds", lambda refusals, _: asked.append(refusals) or 0.02)
    box = await add_channel(database, "box", "box")
    boxes.what["box"] = ReceiverRefused("the server refused LOGIN: wrong password")
    async with supervised(database, boxes) as health:
        await until(lambda: len(asked) >= 3)
        assert re.fullmatch(
            r"the server refused LOGIN: wrong password; it is tried again at \d\d:\d\d:\d\d UTC,"
            " or as soon as the settings are changed",
            health.problem(box.id),
        )
    assert asked[:3] == [1, 2, 3]


async def test_changed_settings_are_tried_at_once_however_long_a_refused_login_rests(database, boxes, monkeypatch):
    monkeypatch.setattr(supervise, "refused_seconds", lambda refusals, _: 3600.0)
    box = await add_channel(database, "box", "box")
    boxes.what["box"] = ReceiverRefused("wrong password")
    async with supervised(database, boxes) as health:
        await until(lambda: "wrong password; it is tried again" in health.problem(box.id))
        assert boxes.started == ["box"]
        boxes.what["box"] = None
        await database.write(
            lambda tx: (tx.run('UPDATE channels SET settings = \'{"a": "b"}\''), tx.notify("channels"))
        )
        await until(lambda: boxes.running == ["box"])
        await until(lambda: health.problem(box.id) == "")


async def test_a_login_refused_after_a_good_while_is_a_first_refusal(database, boxes, monkeypatch):
    asked = []
    monkeypatch.setattr(supervise, "refused_seconds", lambda refusals, _: asked.append(refusals) or 0.02)
    await add_channel(database, "box", "box")
    boxes.what["box"] = ReceiverRefused("wrong password")
    async with supervised(database, boxes, good_seconds=0.0):
        await until(lambda: len(asked) >= 3)
    assert asked[:3] == [1, 1, 1]


async def test_problem_is_over_after_a_good_while_even_if_the_receiver_says_nothing(database, boxes):
    channel = await add_channel(database, "box", "box")
    boxes.what["box"] = ConnectionError("refused")
    async with supervised(database, boxes, good_seconds=0.2) as health:
        await until(lambda: health.problem(channel.id) == "refused")
        boxes.what["box"] = "blocks"
        await until(lambda: health.problem(channel.id) == "")


async def test_kind_that_cannot_be_loaded_is_a_problem_of_its_channel_only(database, boxes):
    odd = await add_channel(database, "telepathy", "odd")
    await add_channel(database, "box", "good")
    async with supervised(database, boxes) as health:
        await until(lambda: boxes.running == ["good"])
        assert "no channel kind" in health.problem(odd.id)


async def test_of_two_processes_one_polls_and_the_other_takes_over(database, boxes):
    await add_channel(database, "box", "box")
    async with supervised(database, boxes, "two", lease_seconds=0.6):
        await until(lambda: boxes.running == ["box"])
        async with supervised(database, boxes, "one", lease_seconds=0.6):
            await asyncio.sleep(0.5)
            assert boxes.running == ["box"]
    assert boxes.started == ["box"]
    async with supervised(database, boxes, "three", lease_seconds=0.6):
        await until(lambda: boxes.running == ["box"])


async def test_lost_lease_stops_the_receiver(database, boxes):
    channel = await add_channel(database, "box", "box")
    async with supervised(database, boxes, lease_seconds=0.3):
        await until(lambda: boxes.running == ["box"])
        await database.write(lambda tx: tx.run("DELETE FROM channel_leases"))
        assert await take_lease(database, channel.id, "somebody else")
        await until(lambda: boxes.running == [])
        await asyncio.sleep(0.2)
        assert boxes.running == []


async def test_lease_that_cannot_be_renewed_is_lost_before_others_may_have_it(database, monkeypatch):
    lease = Lease(database, uuid4(), "me", 0.6)
    await lease.take()

    async def away(job):
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(database, "write", away)
    started = asyncio.get_running_loop().time()
    with pytest.raises(LeaseLost):
        await lease.keep()
    assert 0.3 < asyncio.get_running_loop().time() - started < 0.6
