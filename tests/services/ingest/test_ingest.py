from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response

from services.ingest import webhooks
from services.ingest.main import Ingest
from shared.connector import BadInput
from shared.contracts import topics
from shared.contracts.codec import encode
from shared.contracts.inbound import InboundMessage, InboundUnreadable, inbound_id
from shared.contracts.retry import RetryUnreadable
from shared.database.protocol import DatabaseUnavailable
from shared.problems import exception_handlers
from shared.transport.protocol import Outgoing
from tests.services.fakes import (
    AT,
    MemoryTransport,
    add_channel,
    item,
    lines_kind,
    loader,
    problem_of,
    registry_of,
    settings_of,
    until,
)


class Site:
    """An ingest process with a webhook kind `lines` at /in/lines/{channel}, and a client of it."""

    def __init__(self, database, blobs, folder):
        self.database, self.blobs, self.folder = database, blobs, folder
        self.transport = MemoryTransport()
        self.raises: BaseException | None = None
        self.gate: asyncio.Event | None = None
        self.public_url, self.told = "", []
        self.kind = lines_kind()
        self.kind.modules["receive"] = SimpleNamespace(
            PATH="/in/lines/{channel}", METHODS=("POST",), handle=self.handle
        )

    async def handle(self, request, channel, inlet):
        body = await request.body()
        self.told.append(inlet.public_url)
        if self.raises:
            raise self.raises
        if self.gate:
            await self.gate.wait()
        return Response(str(await inlet.accept(item(body.decode(), request.headers.get("key", "1")))))

    @asynccontextmanager
    async def running(self):
        load, settings = loader(self.kind), replace(settings_of(self.folder), public_url=self.public_url)
        registry = registry_of(self.database)
        self.ingest = Ingest(settings, self.database, self.transport, registry, self.blobs, load, lambda: ["lines"])
        await self.ingest.start()
        app = Starlette(routes=self.ingest.routes, exception_handlers=exception_handlers())
        try:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://okno") as client:
                yield client
        finally:
            await self.ingest.stop()

    def published(self):
        return self.transport.contracts(topics.INBOUND)


@pytest.fixture
def site(database, blobs, tmp_path):
    return Site(database, blobs, tmp_path)


def is_problem(answer, status):
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    return True


async def test_post_is_answered_after_it_was_published(site):
    channel = await add_channel(site.database, name="site")
    async with site.running() as client:
        by_name = await client.post("/in/lines/site", content="a@b.c|one", headers={"key": "1"})
        by_id = await client.post(f"/in/lines/{channel.id}", content="a@b.c|two", headers={"key": "2"})
    assert (by_name.status_code, by_id.status_code) == (200, 200)
    assert [str(m.id) for m in site.published()] == [by_name.text, by_id.text]
    assert await problem_of(site.database, channel.id) == ""


async def test_a_webhook_is_told_the_public_address_that_the_settings_have(site):
    await add_channel(site.database, name="site")
    for site.public_url in ("https://okno.example", ""):
        async with site.running() as client:
            assert (await client.post("/in/lines/site", content="a@b.c|one")).status_code == 200
    assert site.told == ["https://okno.example", ""]


async def test_channel_added_a_moment_ago_works_and_an_unknown_one_does_not(site):
    async with site.running() as client:
        assert is_problem(await client.post("/in/lines/late", content="a|b"), 404)
        await add_channel(site.database, name="late")
        assert (await client.post("/in/lines/late", content="a|b")).status_code == 200


async def test_many_posts_to_unknown_channels_share_the_reads_of_the_registry(site, monkeypatch):
    async with site.running() as client:
        registry, reads = site.ingest._directory._registry, []
        all_channels = registry.all

        async def counted():
            reads.append(1)
            return await all_channels()

        monkeypatch.setattr(registry, "all", counted)
        answers = await asyncio.gather(*[client.post(f"/in/lines/{n}", content="a|b") for n in range(50)])
        assert all(is_problem(answer, 404) for answer in answers)
    assert len(reads) <= 3


async def test_channel_of_another_kind_is_unknown_here(site):
    await add_channel(site.database, "box", "mail")
    async with site.running() as client:
        assert is_problem(await client.post("/in/lines/mail", content="a|b"), 404)


async def test_paused_channel_asks_to_come_again_and_removed_one_is_unknown(site):
    channel, registry = await add_channel(site.database, name="site"), registry_of(site.database)
    async with site.running() as client:
        await registry.set_state(channel.id, "paused")
        await until(lambda: site.ingest._directory.channels[0].state == "paused")
        answer = await client.post("/in/lines/site", content="a|b")
        assert is_problem(answer, 503)
        assert answer.headers["retry-after"] == "60"
        await registry.set_state(channel.id, "removed")
        await until(lambda: not site.ingest._directory.channels)
        assert is_problem(await client.post("/in/lines/site", content="a|b"), 404)
    assert site.published() == []


async def test_wrong_method_is_told_the_right_one(site):
    await add_channel(site.database, name="site")
    async with site.running() as client:
        answer = await client.get("/in/lines/site")
    assert is_problem(answer, 405)
    assert answer.headers["allow"] == "POST"


async def test_unknown_address_is_a_problem_answer_too(site):
    async with site.running() as client:
        assert is_problem(await client.post("/in/nothing"), 404)


async def test_bad_input_is_refused_in_the_channels_words_and_leaves_no_trace(site, caplog):
    await add_channel(site.database, name="site")
    site.raises = BadInput(422, "Empty form", "Fill in a field.", {"Vary": "Origin"})
    with caplog.at_level(logging.INFO, "okno"):
        async with site.running() as client:
            answer = await client.post("/in/lines/site", content="a|b")
    assert is_problem(answer, 422)
    assert answer.json() == {"type": "about:blank", "title": "Empty form", "status": 422, "detail": "Fill in a field."}
    assert answer.headers["vary"] == "Origin"
    assert site.published() == []
    assert caplog.messages == []


@pytest.mark.parametrize("declared", [True, False])
async def test_body_over_the_limit_is_refused_before_it_is_read(site, declared):
    await add_channel(site.database, name="site")
    read = []

    async def chunks():
        for _ in range(100):
            read.append(1)
            yield b"x" * 1024 * 1024

    headers = {"content-length": str(100 * 1024 * 1024)} if declared else {}
    async with site.running() as client:
        answer = await client.post("/in/lines/site", content=chunks(), headers=headers)
    assert is_problem(answer, 413)
    assert len(read) <= 12
    assert site.published() == []


FULL = [OSError(number, "full") for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]


@pytest.mark.parametrize("error", [DatabaseUnavailable("full"), *FULL, TimeoutError()])
async def test_passing_trouble_asks_to_come_again(site, error):
    await add_channel(site.database, name="site")
    site.raises = error
    async with site.running() as client:
        answer = await client.post("/in/lines/site", content="a|b")
    assert is_problem(answer, 503)
    assert answer.headers["retry-after"] == "5"


async def test_nothing_is_confirmed_while_the_transport_is_down(site):
    await add_channel(site.database, name="site")
    async with site.running() as client:
        site.transport.down = True
        assert is_problem(await client.post("/in/lines/site", content="a|b"), 503)
        site.transport.down = False
        assert (await client.post("/in/lines/site", content="a|b")).status_code == 200
    assert len(site.published()) == 1


async def test_bug_in_a_handler_is_logged_once_and_told_nobody(site, caplog):
    await add_channel(site.database, name="site")
    site.raises = KeyError("secret")
    async with site.running() as client:
        answer = await client.post("/in/lines/site", content="a|b")
        assert site.ingest.ready() is None
    assert is_problem(answer, 500)
    assert "secret" not in answer.text
    assert [record.message for record in caplog.records if record.name.startswith("okno")] == ["request_failed"]


async def test_more_requests_than_can_be_held_are_told_to_come_again(site, monkeypatch):
    await add_channel(site.database, name="site")
    site.gate = asyncio.Event()
    async with site.running() as client:
        site.ingest.routes[0].endpoint._webhooks._most_in_flight = 3
        posts = [asyncio.create_task(client.post("/in/lines/site", content=f"a|{n}")) for n in range(5)]
        await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.05)
        site.gate.set()
        statuses = sorted([(await post).status_code for post in posts])
    assert statuses == [200, 200, 200, 503, 503]


async def test_a_log_that_hangs_gets_few_to_wait_and_the_others_an_answer_at_once(site, monkeypatch):
    monkeypatch.setattr(webhooks, "MOST_ACCEPTING", 3)
    monkeypatch.setattr(webhooks, "ACCEPT_SECONDS", 1.0)
    await add_channel(site.database, name="site")
    hanging, publish = asyncio.Event(), site.transport.publish

    async def hang(topic, record):
        await hanging.wait()
        await publish(topic, record)

    monkeypatch.setattr(site.transport, "publish", hang)
    async with site.running() as client:
        first = [asyncio.create_task(client.post("/in/lines/site", content=f"a|{n}")) for n in range(3)]
        await until(lambda: len(webhooks_of(site)._accepting) == 3)
        answer = await client.post("/in/lines/site", content="a|4")
        assert is_problem(answer, 503)
        assert answer.headers["retry-after"] == "1"
        assert not any(post.done() for post in first)
        assert all([is_problem(await post, 503) for post in first])
        hanging.set()
        assert (await client.post("/in/lines/site", content="a|5")).status_code == 200


async def test_bodies_of_all_requests_together_are_bounded(site, monkeypatch):
    monkeypatch.setattr(webhooks, "MOST_HELD_BYTES", 1000)
    await add_channel(site.database, name="site")
    site.gate = asyncio.Event()
    async with site.running() as client:
        held = asyncio.create_task(client.post("/in/lines/site", content="a|" + "x" * 700))
        await until(lambda: webhooks_of(site).held_bytes > 700)
        assert is_problem(await client.post("/in/lines/site", content="a|" + "x" * 700), 503)
        site.gate.set()
        assert (await held).status_code == 200
        assert (await client.post("/in/lines/site", content="a|" + "x" * 700, headers={"key": "2"})).status_code == 200
        assert webhooks_of(site).held_bytes == 0


def webhooks_of(site):
    return site.ingest.routes[0].endpoint._webhooks


async def test_quarantined_item_is_read_again_under_its_id(site, blobs):
    channel = await add_channel(site.database, name="site")
    async with site.running() as client:
        await client.post("/in/lines/site", content="no bar", headers={"key": "k1"})
        await client.post("/in/lines/site", content="b" * 70_000, headers={"key": "k2"})
        small, large = site.published()
        assert isinstance(small, InboundUnreadable)
        assert large.raw.data is None
        parsed = site.kind.modules["parse"].parse
        site.kind.modules["parse"] = SimpleNamespace(
            parse=lambda given, channel: parsed(item(f"a@b.c|{len(given.data)}", "another id"), channel)
        )
        await retry(site, small)
        await retry(site, large)
        await until(lambda: len(site.published()) == 4)
        await until(lambda: site.transport.committed[topics.RETRIES] == 2)
    again = site.published()[2:]
    assert [(type(m), m.id, m.text) for m in again] == [
        (InboundMessage, small.id, "6"),
        (InboundMessage, large.id, "70000"),
    ]
    assert [m.raw for m in again] == [small.raw, large.raw]
    assert [m.same_as for m in again] == [(inbound_id(channel.id, "another id"),)] * 2, "a copy of it may be understood"


async def test_item_that_still_cannot_be_read_keeps_its_id_and_gets_the_new_reason(site):
    channel = await add_channel(site.database, name="site")
    async with site.running() as client:
        await client.post("/in/lines/site", content="no bar", headers={"key": "k1"})
        (first,) = site.published()
        await registry_of(site.database).set_state(channel.id, "removed")
        await retry(site, first)
        await until(lambda: len(site.published()) == 2)
    again = site.published()[1]
    assert (again.id, again.reason) == (first.id, "the channel it came by is no longer connected")


async def test_retry_waits_for_the_transport_and_what_is_no_retry_is_buried(site):
    await add_channel(site.database, name="site")
    async with site.running() as client:
        await client.post("/in/lines/site", content="no bar")
        (first,) = site.published()
        await site.transport.publish(topics.RETRIES, Outgoing("k", b"?", {}))
        await retry(site, first)
        await until(lambda: len(site.published()) == 2)
    assert [record.value for record in site.transport.records[topics.DEAD_LETTERS]] == [b"?"]


async def retry(site, unreadable):
    record = encode(RetryUnreadable(unreadable, unreadable.id), id=unreadable.id, source="/relay", at=AT)
    await site.transport.publish(topics.RETRIES, Outgoing("k", record.value, record.headers))


async def test_bug_in_a_background_task_ends_the_service(site, monkeypatch):
    async with site.running():
        monkeypatch.setattr(site.ingest._directory, "_registry", None)
        with pytest.raises(AttributeError):
            await asyncio.wait_for(site.ingest.run(), 20)
        assert site.ingest.ready() == "ingest-channels has stopped"


async def test_last_message_is_shown_in_the_health_of_the_channel(site):
    channel = await add_channel(site.database, name="site")
    async with site.running() as client:
        await client.post("/in/lines/site", content="a|b")
        await until(lambda: _received(site, channel))


async def _received(site, channel):
    sql = "SELECT last_received_at FROM channel_health WHERE channel_id = ?"
    row = await site.database.read(lambda tx: tx.row(sql, (str(channel.id),)))
    return row == ("2026-11-21T12:00:00.000000Z",)
