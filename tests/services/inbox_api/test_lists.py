"""Lists of the API: paged while new things arrive, customers, the log, the past, channels, the quarantine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.inbox_api.routes import PAGE, PREFIX, SIGNED_IN
from services.projector import inbound as intake
from shared.clock import to_text
from shared.registry.health import report
from tests.examples import AT, MAILBOX, inbound, unreadable
from tests.services.inbox_api.office import CHANNEL, Office

WRONG = ("limit=0", "cursor=bogus")
NO_LISTS = ("/stream", "/customers/export.csv", "/reports")  # a report's rows make sense together only


async def pages(office: Office, path: str, **query: Any) -> list[list[Any]]:
    found, cursor = [], None
    while True:
        page = await office.get(path, **query, **({"cursor": cursor} if cursor else {}))
        found.append(page["items"])
        cursor = page["next"]
        if cursor is None:
            return found


async def test_conversations_are_paged_while_new_ones_arrive(office: Office) -> None:
    messages = await office.receive(*(inbound(str(n)) for n in range(7)))
    first = await office.get("/conversations", limit=3)
    await office.receive(inbound("new"))
    rest = []
    cursor = first["next"]
    while cursor:
        page = await office.get("/conversations", limit=3, cursor=cursor)
        rest += page["items"]
        cursor = page["next"]
    ids = [item["id"] for item in (*first["items"], *rest)]
    assert ids == [str(message.conversation_id) for message in reversed(messages)]


async def test_messages_and_timelines_are_paged_in_both_orders(office: Office) -> None:
    first = inbound("0")
    (message, *_) = await office.receive(first, *(inbound(str(n), refers_to=(first.external_id,)) for n in range(1, 8)))
    for path in (f"/conversations/{message.conversation_id}/messages", f"/customers/{message.customer_id}/timeline"):
        for order in ("asc", "desc"):
            found = [item["text"] for page in await pages(office, path, limit=3, order=order) for item in page]
            assert found == [str(n) for n in (range(8) if order == "asc" else reversed(range(8)))]


async def test_customers_with_their_addresses(office: Office) -> None:
    anna, ben = await office.receive(inbound(), inbound(sender="ben@example.com", name="Ben"))
    await office.receive(inbound())
    shown = await office.get(f"/customers/{anna.customer_id}")
    assert shown == {
        "id": str(anna.customer_id),
        "name": "Anna",
        "identities": [{"kind": "email", "address": "anna@example.com", "name": "Anna", "blocked": None}],
        "created_at": shown["created_at"],
        "conversations": 2,
        "members": [],
        "merged_into": None,
        "erased": False,
        "erased_at": None,
        "position": 1,
        "card": await office.get(f"/customers/{anna.customer_id}/card"),
    }
    listed = [item["id"] for page in await pages(office, "/customers", limit=1) for item in page]
    assert listed == [str(ben.customer_id), str(anna.customer_id)]


async def test_the_log_is_read_in_pages(office: Office) -> None:
    (message,) = await office.receive(item := inbound())
    (first,), after = (await office.get("/events", limit=1)).values()
    rest = await office.get("/events", after=after)
    assert [event["type"] for event in rest["items"]] == ["ConversationOpened", "MessageReceived"]
    assert (after, rest["next"]) == ("1", None)
    at = to_text(office.clock.at)
    assert first == {
        "position": 1,
        "type": "CustomerRegistered",
        "stream_id": str(message.customer_id),
        "version": 1,
        "recorded_at": at,
        "occurred_at": to_text(AT),
        "cause": str(item.id),
        "actor": {"kind": "customer", "id": "email:anna@example.com", "name": "Anna"},
        "data": {
            "customer_id": str(message.customer_id),
            "name": "Anna",
            "address": {"kind": "email", "address": "anna@example.com", "name": "Anna"},
        },
    }


async def test_the_timeline_of_a_past_moment(office: Office) -> None:
    before_all = to_text(office.clock.at)
    office.clock.forward(60)
    (message,) = await office.receive(inbound("first"))
    then = office.clock.at
    office.clock.forward(60)
    await office.post(f"/conversations/{message.conversation_id}/replies", {"text": "Hi"}, 201)
    path = f"/customers/{message.customer_id}/timeline"
    local = (then + timedelta(hours=3)).isoformat().replace("+00:00", "+03:00")
    for as_of in (to_text(then), to_text(then).lower(), local, local.replace("+", " ")):
        assert [entry["text"] for entry in (await office.get(path, as_of=as_of))["items"]] == ["first"]
    assert len((await office.get(path))["items"]) == len((await office.get(path, as_of="2999-01-01"))["items"]) == 2
    assert (await office.get(path, as_of=before_all))["items"] == []
    assert (await office.get(path, as_of="0001-01-01T00:00:00+05:00"))["items"] == []
    assert (await office.get(path, as_of="2999-01-01", order="desc", limit=1))["next"] is not None


async def test_channels_and_operators(office: Office) -> None:
    await report(office.database, MAILBOX, "receive", "login refused", 4, AT)
    (channel,) = (await office.get("/channels"))["items"]
    can = {"sends", "files", "threads", "delivery_reports", "markup", "recipients"}
    assert {ability for ability, has_it in channel.pop("can").items() if has_it} == can
    assert channel == {
        **CHANNEL, "state": "failing", "problem": "login refused", "lag": 4, "last_received_at": to_text(AT)
    }  # fmt: skip
    (operator,) = (await office.get("/operators"))["items"]
    assert operator == {**await office.get("/session"), "access": "active"}


async def test_every_list_takes_limit_and_cursor(office: Office) -> None:
    bearer = {"Authorization": f"Bearer {await office.token_of('root@okno.example', 'admin')}"}
    paths = []
    for address in SIGNED_IN:
        if address.method != "GET" or "{" in address.path or address.path.startswith(NO_LISTS):
            continue
        if "items" in (await office.client.get(PREFIX + address.path, headers=bearer)).json():
            paths.append(address.path)
            assert {*PAGE} <= {*address.query}, address.path
            wrong = [await office.client.get(f"{PREFIX}{address.path}?{query}", headers=bearer) for query in WRONG]
            assert [answer.status_code for answer in wrong] == [422, 422], address.path
    assert {"/channels", "/operators", "/conversations", "/customers", "/events", "/quarantine"} <= {*paths}


async def test_a_list_at_hand_is_whole_until_pages_are_asked_for(office: Office) -> None:
    for name in ("ben", "cleo", "dora"):
        await office.token_of(f"{name}@okno.example", "operator")
    whole = await office.get("/operators")
    assert (len(whole["items"]), whole["next"]) == (4, None)
    for limit, sizes in ((1, [1, 1, 1, 1]), (2, [2, 2]), (3, [3, 1]), (4, [4])):
        found = await pages(office, "/operators", limit=limit)
        assert [len(page) for page in found] == sizes
        assert [item for page in found for item in page] == whole["items"]
    wrong = [await office.client.get("/api/v1/operators", params={"cursor": text}) for text in (str(MAILBOX), "7_x")]
    assert [each.status_code for each in wrong] == [422, 422]
    assert wrong[0].json()["detail"] == "cursor must be the `next` of an earlier page"


@pytest.mark.parametrize(
    ("path", "added", "removed"),
    [
        ("/webhooks", {"url": "https://partner.example/{}"}, "/webhooks/{id}"),
        ("/fields", {"key": "field_{}", "label": "Field", "type": "text"}, "/fields/{key}"),
    ],
)
async def test_a_list_goes_on_where_the_last_item_of_a_page_stood_also_when_it_is_gone(
    office: Office, path: str, added: dict[str, str], removed: str
) -> None:
    bearer = {"Authorization": f"Bearer {await office.token_of('root@okno.example', 'admin')}"}
    office.client.headers.update(bearer)
    for number in range(3):
        await office.post(path, {name: value.format(number) for name, value in added.items()}, 201)
    whole = (await office.get(path))["items"]
    first = await office.get(path, limit=2)
    gone = removed.format(**first["items"][-1])
    assert (await office.client.delete(f"/api/v1{gone}")).status_code == 204
    assert await office.get(path, cursor=first["next"]) == {"items": whole[2:], "next": None}


async def test_holds_are_paged_the_newest_first(office: Office) -> None:
    office.client.headers.update({"Authorization": f"Bearer {await office.token_of('root@okno.example', 'admin')}"})
    people = await office.receive(*(inbound(sender=f"{name}@example.com") for name in ("ben", "cleo", "dora")))
    for each in people:
        held = {"kind": "customer", "subject_id": str(each.customer_id), "reason": "court"}
        await office.post("/holds", held, 201)
    found = [item for page in await pages(office, "/holds", limit=1) for item in page]
    assert [item["subject_id"] for item in found] == [str(each.customer_id) for each in reversed(people)]


async def test_the_quarantine_and_its_retry(office: Office) -> None:
    item = unreadable(b"raw!")
    handled = await office.store.record(lambda session, tx: intake.receive(session, tx, [item]))
    assert await office.api.context.views.reach(handled.position)
    (shown,) = (await office.get("/quarantine"))["items"]
    assert {key: shown[key] for key in ("id", "channel", "external_id", "received_at", "reason", "state")} == {
        "id": str(item.id), "channel": CHANNEL, "external_id": "7.1", "received_at": to_text(AT),
        "reason": "no headers", "state": "waiting",
    }  # fmt: skip
    assert (await office.client.get(shown["raw"]["url"])).content == b"raw!"
    assert (await office.post(f"/quarantine/{item.id}/retry", status=202))["state"] == "retrying"
    assert (await office.post(f"/quarantine/{item.id}/retry", status=202))["state"] == "retrying"
    await office.receive(inbound(id=item.id))
    assert (await office.post(f"/quarantine/{item.id}/retry", status=422))["code"] == "resolved_already"
