"""GET /events: filters, pages that always lead on, and waiting for what comes."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.examples import inbound
from tests.services.inbox_api.office import Office


async def told(office: Office, **query: Any) -> tuple[list[str], str | None, int]:
    """Return the texts of the messages, the next cursor, and how far the answer goes."""
    answer = await office.client.get("/api/v1/events", params=query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return (
        [item["data"].get("text", item["type"]) for item in body["items"]],
        body["next"],
        int(answer.headers["okno-position"]),
    )


async def test_events_of_some_types_are_paged_to_the_end(office: Office) -> None:
    await office.receive(inbound("one"), inbound("two"), inbound("three"))
    end = (await office.get("/events"))["items"][-1]["position"]
    types = {"type": ["MessageReceived", "CustomerRegistered"]}
    first, following, _ = await told(office, limit=2, **types)
    second, last, position = await told(office, limit=2, after=following, **types)
    assert (first, second) == (["CustomerRegistered", "one"], ["two", "three"])
    assert (last, position) in ((None, end), (str(position), position))
    assert await told(office, after=position, **types) == ([], None, end)


async def test_the_pages_are_followed_by_cursor_as_those_of_every_list(office: Office) -> None:
    await office.receive(inbound("one"), inbound("two"), inbound("three"))
    first, cursor, _ = await told(office, after=1, limit=2)
    second, following, _ = await told(office, after=1, limit=2, cursor=cursor)
    rest, end, _ = await told(office, after=1, cursor=following)
    assert ([*first, *second, *rest], end) == ((await told(office, after=1))[0], None)


async def test_events_of_a_customer(office: Office) -> None:
    await office.receive(inbound("Anna's"), inbound("Boris's", sender="boris@example.com"))
    (customer,) = {
        item["data"]["customer_id"]
        for item in (await office.get("/events", type="MessageReceived"))["items"]
        if item["data"]["text"] == "Boris's"
    }
    assert await told(office, customer_id=customer) == (
        ["CustomerRegistered", "ConversationOpened", "Boris's"], None, 6
    )  # fmt: skip


async def test_a_page_that_the_filters_left_empty_leads_on(office: Office, monkeypatch: Any) -> None:
    monkeypatch.setattr("services.inbox_api.selection.WINDOW", 2)
    await office.receive(inbound("one"), inbound("two"))
    assert await told(office, type="NoteAdded") == ([], "2", 2)
    assert await told(office, type="NoteAdded", after=2) == ([], "4", 4)
    assert await told(office, type="NoteAdded", after=4) == ([], None, 5)


async def test_an_answer_can_wait_for_what_comes(office: Office) -> None:
    await office.receive(inbound("one"))
    _, _, end = await told(office)
    waiting = asyncio.create_task(told(office, after=end, type="MessageReceived", wait=30))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await office.receive(inbound("two"))
    async with asyncio.timeout(20):
        assert await waiting == (["two"], None, end + 2)
    assert await told(office, after=end + 2, wait=1) == ([], None, end + 2)


async def test_a_head_does_not_wait(office: Office) -> None:
    await office.receive(inbound("one"))
    _, _, end = await told(office)
    async with asyncio.timeout(20):
        answer = await office.client.head("/api/v1/events", params={"after": end, "wait": 60})
    assert (answer.status_code, answer.headers["okno-position"], answer.content) == (200, str(end), b"")


async def test_wrong_filters_are_refused(office: Office) -> None:
    for query in ("type=Nonsense", "customer_id=7", "wait=61", "wait=soon"):
        answer = await office.client.get(f"/api/v1/events?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
