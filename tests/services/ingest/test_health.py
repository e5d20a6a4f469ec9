"""Several ingest processes tell of one channel: what stands is what the one that has its lease said last."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from services.ingest import supervise
from services.ingest.health import HealthReports
from shared.connector import ReceiverRefused
from shared.database.protocol import DatabaseUnavailable
from shared.registry import health
from shared.registry.health import Health, health_of_channels
from tests.services.fakes import add_channel, until
from tests.services.ingest.test_supervise import Mailboxes, quick, supervised  # noqa: F401 (a fixture)

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AT_TEXT = "2026-11-22T12:00:00.000000Z"


async def shown(database, channel_id):
    return (await database.read(health_of_channels))[str(channel_id)]


async def test_what_is_not_told_anew_stands_as_another_process_left_it(database):
    channel_id = uuid4()
    polls, listens = HealthReports(database), HealthReports(database)
    listens.report(channel_id, "", lag=5)
    await listens.write()
    polls.report(channel_id, "nearly full", lag=0)
    await polls.write()
    listens.received(channel_id, AT)
    await listens.write()
    assert await shown(database, channel_id) == Health("nearly full", 0, AT_TEXT)


async def test_a_receiver_that_failed_has_said_so_before_another_process_takes_the_channel(database):
    boxes, others = Mailboxes(), Mailboxes()
    channel = await add_channel(database, "box", "box")
    boxes.what["box"] = OSError("hung up")
    async with supervised(database, boxes, owner="failing") as telling:
        await until(lambda: boxes.started)
        boxes.what["box"] = "blocks"
        await until(lambda: boxes.running)
        telling.report(channel.id, "slow", lag=7)
    assert await shown(database, channel.id) == Health("slow", 7, None)
    async with supervised(database, others, owner="other") as other:
        await until(lambda: others.running)
        await other.write()
        await telling.write()
    assert await shown(database, channel.id) == Health("", 0, None)


async def test_what_could_not_be_written_is_written_when_the_database_is_back_unless_newer_is_known(
    database, monkeypatch
):
    channel_id, reports = uuid4(), HealthReports(database)
    write = health.report

    async def away(*args):
        reports.report(channel_id, "newer")
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(health, "report", away)
    reports.report(channel_id, "older", lag=3)
    reports.received(channel_id, AT)
    await reports.write()
    monkeypatch.setattr(health, "report", write)
    await reports.write()
    assert await shown(database, channel_id) == Health("newer", 3, AT_TEXT)


async def test_a_process_that_lost_the_channel_says_no_more_of_it(database):
    boxes = Mailboxes()
    channel = await add_channel(database, "box", "box")
    async with supervised(database, boxes, owner="slow", lease_seconds=0.3) as telling:
        await until(lambda: boxes.running)
        await telling.write()
        telling.report(channel.id, "old words", lag=9)
        await database.write(lambda tx: tx.run("UPDATE channel_leases SET owner = 'other', until = '9999'"))
        await until(lambda: not boxes.running and not telling._news)
        assert await shown(database, channel.id) == Health("", 0, None)


async def test_a_refused_login_is_not_tried_by_another_process_and_stays_told(database, monkeypatch):
    monkeypatch.setattr(supervise, "refused_seconds", lambda refusals, _: 3600.0)
    boxes, others = Mailboxes(), Mailboxes()
    channel = await add_channel(database, "box", "box")
    boxes.what["box"] = ReceiverRefused("wrong password")
    async with supervised(database, boxes, owner="refused", lease_seconds=0.6) as telling:
        await until(lambda: telling.problem(channel.id))
        async with supervised(database, others, owner="other", lease_seconds=0.6):
            await asyncio.sleep(1.5)
            assert others.started == []
        await telling.write()
        problem = (await shown(database, channel.id)).problem
        assert problem.startswith("wrong password; it is tried again at ")


async def test_one_channel_handed_over_does_not_make_the_others_news_wait(database):
    first, second = uuid4(), uuid4()
    reports = HealthReports(database)
    writing = asyncio.create_task(reports.run())
    try:
        reports.report(first, "one")
        reports.report(second, "two")
        await reports.write(first)
        await until(lambda: not reports._news and not reports._writing.locked())
    finally:
        writing.cancel()
    assert await shown(database, second) == Health("two", None, None)
