"""GET /search and GET /reports/ledger as the window and programs ask for them."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from services.projector.chain import link_next
from shared.event_store.log import read_log
from shared.read_models import live, search_results
from tests.examples import MAILBOX, inbound, unreadable
from tests.services.inbox_api.office import Office


async def indexed(office: Office) -> None:
    events = await office.database.read(lambda tx: read_log(tx, 0, 10_000))
    await office.database.write(partial(live.take_in_apart, name="search", events=events))


async def search(office: Office, typed: str, **query: Any) -> Any:
    return await office.get("/search", q=typed, **query)


async def test_a_message_is_found_with_whose_it_is_and_where(office: Office) -> None:
    (message,) = await office.receive(inbound("Когда приедет мой заказ?", subject="Доставка"))
    await indexed(office)
    found = await search(office, "заказы")
    assert found["items"] == [
        {
            "kind": "text",
            "id": str(message.message_id),
            "customer_id": str(message.customer_id),
            "conversation_id": str(message.conversation_id),
            "direction": "inbound",
            "at": "2026-11-21T12:00:00.000000Z",
            "title": [{"text": "Доставка", "found": False}],
            "snippet": [
                {"text": "Когда приедет мой ", "found": False},
                {"text": "заказ", "found": True},
                {"text": "?", "found": False},
            ],
            "position": 3,
            "customer": {"id": str(message.customer_id), "name": "Anna", "address": "anna@example.com"},
            "channel": {"id": str(MAILBOX), "kind": "email", "name": "Support"},
        }
    ]
    assert (found["next"], found["behind"]) == (None, 0)


async def test_pages_filters_and_everything_at_once(office: Office) -> None:
    await office.receive(*(inbound(f"заказ {number}", sender=f"{number}@example.com") for number in range(5)))
    assert (await search(office, "заказ"))["behind"] == 15
    await indexed(office)
    first = await search(office, "заказ", limit=3)
    second = await search(office, "заказ", limit=3, cursor=first["next"])
    texts = ["".join(piece["text"] for piece in item["snippet"]) for item in [*first["items"], *second["items"]]]
    assert (texts, second["next"]) == ([f"заказ {number}" for number in (4, 3, 2, 1, 0)], None)
    ids = ",".join(item["customer_id"] for item in first["items"][:2])
    assert len((await search(office, "заказ", customer_id=ids))["items"]) == 2
    assert (await search(office, "заказ", kind="note"))["items"] == []
    assert (await search(office, "заказ", channel_id=str(MAILBOX), until="2026-11-21T15:00:00+03:00"))["items"] == []
    assert (await search(office, ""))["items"] == []


async def test_a_quarantined_item_is_found_by_its_reason(office: Office) -> None:
    await office.store.record(lambda session, tx: _quarantine(session, tx))
    await indexed(office)
    (item,) = (await search(office, "headers"))["items"]
    assert (item["kind"], item["customer"], item["conversation_id"]) == ("quarantine", None, None)


def _quarantine(session: Any, tx: Any) -> None:
    from services.projector.inbound import receive

    receive(session, tx, [unreadable()])


@pytest.mark.parametrize(
    "query",
    [{"q": "x" * 501}, {"kind": "mail"}, {"channel_id": "7"}, {"customer_id": "a,b"}, {"since": "yesterday"},
     {"cursor": "-1"}, {"customer_id": ",".join([str(uuid4())] * 51)}],
)  # fmt: skip
async def test_what_cannot_be_asked_is_refused(office: Office, query: dict[str, str]) -> None:
    answer = await office.client.get("/api/v1/search", params={"q": "x"} | query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_the_ledger_is_for_admins_and_analysts(office: Office) -> None:
    await office.receive(inbound())
    await link_next(office.database)
    answer = await office.client.get("/api/v1/reports/ledger")
    assert answer.status_code == 403
    headers = {"Authorization": f"Bearer {await office.token_of('boss@okno.example', 'analyst')}"}
    ledger = (await office.client.get("/api/v1/reports/ledger", headers=headers)).json()
    (row,) = ledger["items"]
    assert (ledger["complete"], ledger["events"], ledger["holes"], row["received"]) == (True, 3, [], 1)
    assert (ledger["chain"]["until"], ledger["chain"]["unlinked"]) == (3, 0)
    await office.database.write(lambda tx: tx.run("DELETE FROM raw_items"))
    ledger = (await office.client.get("/api/v1/reports/ledger", headers=headers)).json()
    assert ([hole["kind"] for hole in ledger["holes"]], ledger["complete"]) == (["raw_missing"], False)
    wrong = {"since": "2026-11-22T00:00:00Z", "until": "2026-11-21T00:00:00Z"}
    assert (await office.client.get("/api/v1/reports/ledger", headers=headers, params=wrong)).status_code == 422


async def customers(office: Office, typed: str, **query: Any) -> list[str]:
    return [each["name"] for each in (await office.get("/customers", q=typed, **query))["items"]]


async def test_customers_are_found_by_their_names_and_addresses_as_who_stands_for_them(office: Office) -> None:
    people = [("Анна Петрова", "anna@пример.рф"), ("Борис", "boris@example.com"), ("Анна", "other@example.com")]
    anna, boris, other = await office.receive(*(inbound("hello Борис", at, name) for name, at in people))
    await indexed(office)
    assert [await customers(office, typed) for typed in ("анна", "петр", "boris@example.com", "нет", "hello", '"')] == [
        ["Анна", "Анна Петрова"], ["Анна Петрова"], ["Борис"], [], [], [],
    ]  # fmt: skip
    assert (await customers(office, " "), len(await customers(office, "анна", limit=1))) == (
        ["Анна", "Борис", "Анна Петрова"],
        1,
    )
    first = await office.get("/customers", q="анна", limit=1)
    assert await customers(office, "анна", limit=1, cursor=first["next"]) == ["Анна Петрова"]
    for one in (boris, other):
        await office.post(f"/customers/{one.customer_id}/merge", {"into": str(anna.customer_id)})
    found = (await office.get("/customers", q="анна"))["items"]
    assert found == (await office.get("/customers"))["items"]
    assert await customers(office, "boris") == ["Анна Петрова"]
    pages, cursor = list[list[str]](), {}
    while cursor.get("cursor", "") is not None:
        pages.append(await customers(office, "анна", limit=1, **cursor))
        cursor = {"cursor": (await office.get("/customers", q="анна", limit=1, **cursor))["next"]}
    assert [page for page in pages if page] == [["Анна Петрова"]]
    assert (await office.client.get("/api/v1/customers", params={"q": "x" * 1000})).status_code == 422


async def test_who_is_merged_is_found_before_more_messages_than_are_looked_at(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_results, "LOOKED_AT", 2)
    monkeypatch.setattr(search_results, "AT_ONCE", 1)
    people = [("Анна Петрова", "anna@example.com"), ("Анна", "other@example.com")]
    anna, other = await office.receive(*(inbound("hello", at, name) for name, at in people))
    await office.receive(*(inbound("Анна пишет", "anna@example.com", "Анна Петрова") for _ in range(5)))
    await indexed(office)
    await office.post(f"/customers/{other.customer_id}/merge", {"into": str(anna.customer_id)})
    found, cursor = list[str](), {}
    while cursor.get("cursor", "") is not None:
        found += await customers(office, "анна", **cursor)
        cursor = {"cursor": (await office.get("/customers", q="анна", **cursor))["next"]}
    assert found == ["Анна Петрова"]


async def test_who_is_merged_is_searched_and_found_as_one_until_they_are_unmerged(office: Office) -> None:
    anna, boris = await office.receive(
        inbound("смета Анны", "anna@example.com", "Анна"), inbound("смета Бориса", "boris@example.com", "Борис")
    )
    await indexed(office)

    async def owners(whose: Any) -> list[tuple[str, str]]:
        found = (await search(office, "смета", kind="text", customer_id=str(whose)))["items"]
        assert [each["customer_id"] for each in found] == [each["customer"]["id"] for each in found]
        return [(each["id"], each["customer"]["name"]) for each in found]

    await office.post(f"/customers/{boris.customer_id}/merge", {"into": str(anna.customer_id)})
    both = await owners(anna.customer_id), await owners(boris.customer_id)
    await office.post(f"/customers/{anna.customer_id}/unmerge", {"customer": str(boris.customer_id)})
    assert both == ([(str(boris.message_id), "Анна"), (str(anna.message_id), "Анна")],) * 2
    assert await owners(anna.customer_id) == [(str(anna.message_id), "Анна")]
    assert await owners(boris.customer_id) == [(str(boris.message_id), "Борис")]
