"""Live changes: in order, resumable, and only after the read models show them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from services.inbox_api import live, views
from services.inbox_api.main import InboxApi
from services.projector.rebuild import Wanted, rebuild
from shared.clock import to_text
from shared.database.protocol import DatabaseUnavailable
from shared.domain import commands as c
from shared.domain import events as e
from tests.examples import call_report, inbound
from tests.services.inbox_api.office import Office, listening
from tests.services.projector.running import running

Frame = tuple[str, int | None, Any]


class Stream:
    """The frames of an open answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Frame:
        """Return the next frame that is one: its name, id and data."""
        name, position, data = "", None, None
        async with asyncio.timeout(20):
            async for line in self._lines:
                field, _, value = line.partition(": ")
                match field:
                    case "event":
                        name = value
                    case "id":
                        position = int(value)
                    case "data":
                        data = orjson.loads(value)
                    case "" if name:
                        return name, position, data
        raise AssertionError("the stream ended")

    async def changes(self, count: int) -> list[tuple[int | None, str]]:
        found: list[tuple[int | None, str]] = []
        while len(found) < count:
            name, position, data = await self.next()
            if name == "change":
                assert data["position"] == position
                found.append((position, data["type"]))
        return found


@asynccontextmanager
async def stream(office: Office, after: int | None = None) -> AsyncIterator[Stream]:
    headers = {**office.client.headers, **({} if after is None else {"Last-Event-ID": str(after)})}
    async with (
        listening(office.api) as address,
        httpx.AsyncClient(trust_env=False, verify=False) as client,
        client.stream("GET", f"{address}/api/v1/stream", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer)


MESSAGE = ["CustomerRegistered", "ConversationOpened", "MessageReceived"]


async def test_a_stream_begins_now_and_tells_every_change_in_order(office: Office) -> None:
    await office.receive(inbound())
    async with stream(office) as live_:
        assert await live_.next() == ("alive", 3, {"position": 3, "behind_seconds": 0.0})
        (message,) = await office.receive(item := inbound())
        await office.store.handle(message.conversation_id, c.Close(), e.Actor("system"))
        first = await live_.next()
        second = await live_.next()
        third = await live_.next()
    ids = {"conversation_id": str(message.conversation_id), "customer_id": str(message.customer_id)}
    at = to_text(office.clock.at)
    rest = {"message_id": None, "kind": None, "recorded_at": at}
    received = {**rest, "message_id": str(item.id), "kind": "text"}
    assert first == ("change", 4, {"position": 4, "type": "ConversationOpened", **ids, **rest})
    assert second == ("change", 5, {"position": 5, "type": "MessageReceived", **ids, **received})
    assert third == ("change", 6, {"position": 6, "type": "ConversationClosed", **ids, **rest})


async def test_a_stream_resumes_where_the_browser_was(office: Office) -> None:
    (message, *_) = await office.receive(inbound(), call_report("ringing"))
    async with stream(office, after=1) as live_:
        assert await live_.changes(5) == list(zip(range(2, 7), [*MESSAGE[1:], *MESSAGE], strict=True))
        await office.store.handle(message.conversation_id, c.Close(), e.Actor("system"))
        assert await live_.changes(1) == [(7, "ConversationClosed")]
    async with stream(office, after=7) as live_:
        assert (await live_.next())[0] == "alive"
        await office.store.handle(message.conversation_id, c.Reopen(), e.Actor("system"))
        assert await live_.changes(1) == [(8, "ConversationReopened")]


async def test_a_browser_too_far_behind_is_told_to_load_anew(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "KEPT", 4)
    await office.receive(*(inbound() for _ in range(5)))
    async with stream(office, after=2) as live_:
        assert (await live_.next())[0] == "alive"
        assert await live_.next() == ("resync", 11, {"position": 11})
        await office.receive(inbound())
        assert [position for position, _ in await live_.changes(2)] == [12, 13]


async def test_a_browser_ahead_of_a_restored_log_is_told_to_load_anew(office: Office) -> None:
    await office.receive(inbound())
    async with stream(office, after=1000) as live_:
        assert (await live_.next())[0] == "alive"
        assert await live_.next() == ("resync", 3, {"position": 3})


async def test_what_a_change_tells_of_is_there_when_it_is_told(office: Office) -> None:
    async with stream(office) as live_:
        await live_.next()
        receiving = asyncio.create_task(office.receive(*(inbound(str(n)) for n in range(30))))
        for _ in range(61):
            _, position, data = await live_.next()
            if data["type"] == "MessageReceived":
                page = await office.get(f"/conversations/{data['conversation_id']}/messages")
                assert [item["id"] for item in page["items"]] == [data["message_id"]]
                assert page["items"][0]["position"] == position
        await receiving


async def test_a_quiet_stream_shows_that_it_lives(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ALIVE_SECONDS", 0.05)
    async with stream(office) as live_:
        assert [(await live_.next())[0] for _ in range(3)] == ["alive"] * 3
        assert office.api.context.views.watchers == 1
    for _ in range(100):
        await asyncio.sleep(0.02)
        if office.api.context.views.watchers == 0:
            break
    assert office.api.context.views.watchers == 0


async def test_a_stream_needs_a_token(office: Office) -> None:
    answer = await office.browser.get("/api/v1/stream", headers={"Last-Event-ID": str(uuid4())})
    assert answer.status_code == 401


async def test_a_stream_ends_with_the_session(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ALIVE_SECONDS", 0.05)
    async with stream(office) as live_:
        assert [(await live_.next())[0] for _ in range(3)] == ["alive"] * 3
        await office.operators.revoke(office.client.headers["authorization"].removeprefix("Bearer "))
        with pytest.raises(AssertionError, match="the stream ended"):
            await live_.changes(1)


async def test_asking_only_for_the_headers_of_a_stream_ends(office: Office) -> None:
    async with asyncio.timeout(5):
        answer = await office.client.head("/api/v1/stream")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_many_browsers_hear_the_same(office: Office) -> None:
    async with stream(office) as one, stream(office) as other, stream(office, after=0) as third:
        for each in (one, other, third):
            await each.next()
        await office.receive(*(inbound() for _ in range(20)))
        heard = [await each.changes(41) for each in (one, other, third)]
    assert heard[0] == heard[1] == heard[2]
    assert [position for position, _ in heard[0]] == list(range(1, 42))


async def test_a_browser_that_comes_back_before_the_api_knows_its_position_goes_on_where_it_was(office: Office) -> None:
    await office.receive(inbound())
    restarted = replace(
        office, api=InboxApi(office.database, office.store, office.blobs, office.api.context.subscriptions)
    )

    async def start_late() -> None:
        await asyncio.sleep(0.2)
        await restarted.api.run()

    async with running(start_late()), stream(restarted, after=2) as live_:
        assert await live_.next() == ("alive", 2, {"position": 3, "behind_seconds": 0.0})
        assert await live_.changes(1) == [(3, "MessageReceived")]


class Away:
    """A database that went away."""

    async def read(self, job: object, *, brief: bool = False) -> object:
        raise DatabaseUnavailable("gone")


async def nobody() -> bool:
    return False


async def test_a_stream_ends_without_a_fault_when_the_database_goes_away(office: Office) -> None:
    gone: Any = views.Views(Away(), office.store)  # type: ignore[arg-type]
    heard = [frame async for frame in live._frames(gone, 0, nobody, is_resumed=False)]
    assert (heard, gone.watchers) == ([], 0)


class Slow:
    """A database whose read models are at 7; the first question fails."""

    asked = 0

    async def read(self, job: object, *, brief: bool = False) -> tuple[int, tuple[int, int]]:
        self.asked += 1
        first = self.asked == 1
        await asyncio.sleep(0.01)
        if first:
            raise DatabaseUnavailable("gone")
        return 7, (0, -1)


async def test_many_who_wait_share_one_look_at_the_read_models(office: Office) -> None:
    database = Slow()
    shared: Any = views.Views(database, office.store)  # type: ignore[arg-type]
    ends = await asyncio.gather(*(shared.advance() for _ in range(100)), return_exceptions=True)
    assert [type(end) for end in ends if end] == [DatabaseUnavailable]
    assert (database.asked, shared.position) == (3, 7)


async def test_when_other_tables_are_shown_everything_is_to_be_read_again(office: Office) -> None:
    """As after an erasure: no event says what is shown no more."""
    await office.receive(inbound())
    async with stream(office) as live_:
        assert (await live_.next())[0] == "alive"
        await rebuild(office.database, Wanted(switch=False))
        await rebuild(office.database, Wanted())
        assert await live_.next() == ("resync", 3, {"position": 3})
        await office.receive(inbound())
        assert (await live_.changes(2))[0][0] == 4


@pytest.mark.parametrize(("after", "told"), [(3, "resync"), (4, "change")])
async def test_a_browser_that_was_away_meanwhile_is_told_too(office: Office, after: int, told: str) -> None:
    await office.receive(inbound())
    await rebuild(office.database, Wanted())
    await office.receive(inbound())
    async with stream(office, after=after) as live_:
        assert (await live_.next())[0] == "alive"
        assert (await live_.next())[0] == told
