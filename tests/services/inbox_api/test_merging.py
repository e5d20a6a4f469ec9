"""Customers who are one person: what is shown while they are merged, what afterwards, and who may be one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.clock import to_text
from shared.contracts.inbound import Address
from shared.domain import events as e
from tests.examples import FORM, call_report, inbound
from tests.services.inbox_api.office import Office

PHONE = Address("phone", "+4915112345678")


async def three(office: Office) -> tuple[e.MessageReceived, ...]:
    return tuple(
        await office.receive(*(inbound(f"I am {name}", f"{name.lower()}@x", name) for name in ("Anna", "Ben", "Cleo")))
    )


async def merge(office: Office, one: object, into: object, status: int = 200) -> Any:
    return await office.post(f"/customers/{one}/merge", {"into": str(into)}, status)


async def unmerge(office: Office, group: object, customer: object, status: int = 200) -> Any:
    return await office.post(f"/customers/{group}/unmerge", {"customer": str(customer)}, status)


async def texts(office: Office, customer: object, **query: Any) -> list[str]:
    items = (await office.get(f"/customers/{customer}/timeline", **query))["items"]
    return [item["text"] or item["kind"] for item in items]


async def everything(office: Office, *customers: UUID) -> list[Any]:
    found = [
        await office.get("/customers"),
        await office.get("/conversations", status="all"),
        await office.get("/steps"),
    ]
    for id_ in customers:
        found += [await office.get(f"/customers/{id_}"), await office.get(f"/customers/{id_}/timeline")]
        found.append(await office.get("/conversations", customer_id=id_, status="all"))
        found.append(await office.get("/steps", customer_id=id_))
    return found


async def test_a_merged_customer_is_shown_as_one_with_the_other(office: Office) -> None:
    anna, ben, _ = await three(office)
    shown = await merge(office, ben.customer_id, anna.customer_id)
    assert shown["members"] == [
        {
            "id": str(ben.customer_id),
            "into": str(anna.customer_id),
            "name": "Ben",
            "identities": [{"kind": "email", "address": "ben@x", "name": "Ben", "blocked": None}],
            "merged_at": shown["members"][0]["merged_at"],
            "merged_by": "Olga",
        }
    ]
    assert (shown["id"], shown["conversations"], shown["merged_into"]) == (str(anna.customer_id), 2, None)
    assert [identity["address"] for identity in shown["identities"]] == ["anna@x", "ben@x"]
    asked_for_ben = await office.get(f"/customers/{ben.customer_id}")
    assert asked_for_ben.pop("card")["name"] == "Anna"
    assert asked_for_ben == {**shown, "merged_into": str(anna.customer_id)}
    assert [each["name"] for each in (await office.get("/customers"))["items"]] == ["Cleo", "Anna"]
    for id_ in (anna.customer_id, ben.customer_id):
        assert await texts(office, id_) == ["I am Anna", "I am Ben", "merged"]
        assert await texts(office, id_, order="desc", limit=2) == ["merged", "I am Ben"]
        conversations = (await office.get("/conversations", customer_id=id_, limit=1))["items"]
        assert [each["customer"]["name"] for each in conversations] == ["Anna"]
    shown = await office.get(f"/conversations/{ben.conversation_id}")
    assert (shown["customer_id"], shown["customer"]["address"]) == (str(anna.customer_id), "anna@x")
    (message,) = (await office.get(f"/conversations/{ben.conversation_id}/messages"))["items"]
    assert (message["customer_id"], message["author"]["address"]) == (str(anna.customer_id), "ben@x")


async def test_after_an_unmerge_all_is_as_if_the_merge_had_never_happened(office: Office) -> None:
    anna, ben, cleo = await three(office)
    ids = (anna.customer_id, ben.customer_id, cleo.customer_id)
    before = await everything(office, *ids)
    await merge(office, ids[1], ids[0])
    await merge(office, ids[2], ids[1])
    await unmerge(office, ids[0], ids[1])
    await unmerge(office, ids[1], ids[2])
    assert await everything(office, *ids) == before


async def test_who_came_with_a_member_leaves_with_them(office: Office) -> None:
    anna, ben, cleo = (message.customer_id for message in await three(office))
    await merge(office, cleo, ben)
    assert (await merge(office, ben, anna))["conversations"] == 3
    assert (await unmerge(office, anna, ben))["members"] == []
    assert [each["name"] for each in (await office.get(f"/customers/{cleo}"))["members"]] == ["Cleo"]
    assert await texts(office, ben) == ["I am Ben", "I am Cleo", "merged"]
    assert await texts(office, anna) == ["I am Anna"]


async def test_a_merge_into_a_member_is_one_into_the_group(office: Office) -> None:
    anna, ben, cleo = (message.customer_id for message in await three(office))
    await merge(office, ben, anna)
    shown = await merge(office, cleo, ben)
    assert (shown["id"], shown["merged_into"]) == (str(anna), str(anna))
    assert [(each["name"], each["into"]) for each in shown["members"]] == [("Ben", str(anna)), ("Cleo", str(ben))]
    assert (await unmerge(office, cleo, cleo))["members"] == []
    assert [each["name"] for each in (await office.get(f"/customers/{anna}"))["members"]] == ["Ben"]


async def test_what_cannot_be_merged_is_refused_with_a_reason(office: Office) -> None:
    anna, ben, cleo = (message.customer_id for message in await three(office))
    await merge(office, ben, anna)
    codes = [
        (await merge(office, anna, anna, 422))["code"],
        (await merge(office, anna, ben, 422))["code"],
        (await merge(office, ben, cleo, 422))["code"],
        (await unmerge(office, anna, cleo, 422))["code"],
        (await unmerge(office, ben, anna, 422))["code"],
        (await merge(office, anna, uuid4(), 404))["code"],
        (await merge(office, uuid4(), anna, 404))["code"],
        (await unmerge(office, anna, uuid4(), 404))["code"],
    ]
    assert codes == [
        "same_customer", "same_group", "already_merged",
        "not_merged", "not_merged", *["no_such_customer"] * 3,
    ]  # fmt: skip


async def test_of_two_opposite_merges_at_once_one_wins(office: Office) -> None:
    anna, ben, _ = (message.customer_id for message in await three(office))
    asked = [(anna, ben), (ben, anna)]
    answers = await asyncio.gather(
        *(office.client.post(f"/api/v1/customers/{a}/merge", json={"into": str(b)}) for a, b in asked)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_what_was_done_while_merged_belongs_to_where_it_was_done(office: Office) -> None:
    anna, ben, _ = await three(office)
    await merge(office, ben.customer_id, anna.customer_id)
    await office.post(f"/conversations/{ben.conversation_id}/notes", {"text": "a note"}, 201)
    step = {"customer_id": str(anna.customer_id), "due_at": "2099-01-01T00:00:00Z"}
    planned = await office.post("/steps", {**step, "what": "write", "conversation_id": str(ben.conversation_id)}, 201)
    assert planned["customer_id"] == str(anna.customer_id)
    await office.post("/steps", {**step, "what": "ask"}, 201)
    due = (await office.get("/steps", customer_id=anna.customer_id))["items"]
    assert sorted(each["what"] for each in due) == ["ask", "write"]
    await office.receive(inbound("again", "ben@x", "Ben"))
    await unmerge(office, anna.customer_id, ben.customer_id)
    assert await texts(office, ben.customer_id) == ["I am Ben", "a note", "write", "again"]
    assert await texts(office, anna.customer_id) == ["I am Anna", "ask"]
    for id_, what in ((anna.customer_id, "ask"), (ben.customer_id, "write")):
        assert [each["what"] for each in (await office.get("/steps", customer_id=id_))["items"]] == [what]


async def test_the_past_shows_the_groups_of_then(office: Office) -> None:
    anna, ben, cleo = (message.customer_id for message in await three(office))
    moments = [to_text(office.clock.at)]
    for step in ((merge, cleo, ben), (merge, ben, anna), (unmerge, anna, ben), (unmerge, ben, cleo)):
        office.clock.forward(60)
        await step[0](office, *step[1:])
        moments.append(to_text(office.clock.at))
    past = [[len(await texts(office, id_, as_of=at)) for id_ in (anna, ben, cleo)] for at in moments]
    assert past == [[1, 1, 1], [1, 3, 3], [5, 5, 5], [1, 3, 3], [1, 1, 1]]


async def test_paging_a_group_has_no_repeats_or_holes(office: Office) -> None:
    people = ("anna@x", "ben@x", "cleo@x")
    received = await office.receive(*(inbound(str(n), people[n % 3], "X") for n in range(30)))
    anna, ben, cleo = (received[n].customer_id for n in range(3))
    await merge(office, ben, anna)
    await merge(office, cleo, anna)
    for order in ("asc", "desc"):
        found, cursor = [], None
        while True:
            page = await office.get(
                f"/customers/{ben}/timeline", limit=7, order=order, **({"cursor": cursor} if cursor else {})
            )
            found += [item["text"] for item in page["items"] if item["text"]]
            if (cursor := page["next"]) is None:
                break
        assert found == [str(n) for n in (range(30) if order == "asc" else reversed(range(30)))]


# --- suggestions ------------------------------------------------------------------------------------------


def form(email: str, key: str = "1") -> Any:
    item = inbound("Call me", email, "Dora", channel_id=FORM, channel_kind="web_form", external_id=key, kind="form")
    return replace(item, identities=(PHONE,), warnings=("claimed_sender",))


async def suggested(office: Office, customer: object) -> list[Any]:
    items: list[Any] = (await office.get(f"/customers/{customer}/suggestions"))["items"]
    return items


async def test_a_number_typed_into_a_form_suggests_its_owner(office: Office) -> None:
    (call,) = await office.receive(call_report("missed"))
    (dora,) = await office.receive(form("dora@x"))
    assert dora.customer_id != call.customer_id
    (suggestion,) = await suggested(office, dora.customer_id)
    assert suggestion == {
        "id": suggestion["id"],
        "customer": {"id": str(dora.customer_id), "name": "Dora", "address": "dora@x"},
        "other": {"id": str(call.customer_id), "name": None, "address": "+4915112345678"},
        "reasons": [
            {
                "evidence": "claimed",
                "kind": "phone",
                "address": "+4915112345678",
                "customer_id": str(dora.customer_id),
                "message_id": str(dora.message_id),
            }
        ],
        "suggested_at": suggestion["suggested_at"],
        "position": suggestion["position"],
    }
    (seen_by_the_other,) = await suggested(office, call.customer_id)
    assert seen_by_the_other["other"]["id"] == str(dora.customer_id)
    assert [each["id"] for each in (await office.get("/suggestions"))["items"]] == [suggestion["id"]]


async def test_the_order_of_claim_and_call_does_not_matter(office: Office) -> None:
    (dora,) = await office.receive(form("dora@x"))
    assert await suggested(office, dora.customer_id) == []
    (call,) = await office.receive(call_report("missed"))
    assert [each["other"]["id"] for each in await suggested(office, dora.customer_id)] == [str(call.customer_id)]


async def test_two_who_give_the_same_number_may_be_one(office: Office) -> None:
    one, other = await office.receive(form("one@x"), form("other@x", "2"))
    (suggestion,) = await suggested(office, one.customer_id)
    assert suggestion["other"]["id"] == str(other.customer_id)
    assert [reason["evidence"] for reason in suggestion["reasons"]] == ["both"]


async def test_a_number_that_everybody_gives_says_nothing(office: Office) -> None:
    received = []
    for n in range(8):
        received += await office.receive(form(f"{n}@x", str(n)))
    assert await suggested(office, received[7].customer_id) == []


async def test_what_a_channel_vouches_for_and_somebody_else_has_is_suggested(office: Office) -> None:
    (call,) = await office.receive(call_report("missed"))
    (anna,) = await office.receive(inbound(vouched=(PHONE,)))
    (suggestion,) = await suggested(office, call.customer_id)
    assert suggestion["other"]["id"] == str(anna.customer_id)
    assert [reason["evidence"] for reason in suggestion["reasons"]] == ["vouched"]


@pytest.mark.parametrize("spam", [form("dora@x")])
async def test_spam_suggests_nothing(office: Office, spam: Any) -> None:
    await office.receive(call_report("missed"))
    (dora,) = await office.receive(replace(spam, nature="spam"))
    assert await suggested(office, dora.customer_id) == []


async def test_a_refused_pair_never_comes_again(office: Office) -> None:
    (call,) = await office.receive(call_report("missed"))
    (dora,) = await office.receive(form("dora@x"))
    (suggestion,) = await suggested(office, dora.customer_id)
    for _ in range(2):
        answer = await office.client.post(f"/api/v1/suggestions/{suggestion['id']}/refuse", json={})
        assert answer.status_code == 204
    await office.receive(form("dora@x", "again"), inbound("x", "dora@x", vouched=(PHONE,)))
    assert await suggested(office, dora.customer_id) == await suggested(office, call.customer_id) == []
    assert (await office.get("/suggestions"))["items"] == []


async def test_an_accepted_suggestion_is_a_merge_into_whom_we_know_longer(office: Office) -> None:
    (call,) = await office.receive(call_report("missed"))
    office.clock.forward(60)
    (dora,) = await office.receive(form("dora@x"))
    (suggestion,) = await suggested(office, dora.customer_id)
    path = f"/suggestions/{suggestion['id']}/accept"
    await office.post(path, {"into": str(uuid4())}, 422)
    shown = await office.post(path)
    assert (shown["id"], [each["id"] for each in shown["members"]]) == (str(call.customer_id), [str(dora.customer_id)])
    assert await suggested(office, call.customer_id) == []
    assert (await office.post(path, status=422))["code"] == "same_customer"
    await unmerge(office, call.customer_id, dora.customer_id)
    assert [each["id"] for each in await suggested(office, dora.customer_id)] == [suggestion["id"]]
    assert (await office.post(path, {"into": str(dora.customer_id)}))["id"] == str(dora.customer_id)


async def test_two_groups_are_suggested_once_and_refused_as_a_whole(office: Office) -> None:
    (call,) = await office.receive(call_report("missed"))
    one, other = await office.receive(form("one@x"), form("other@x", "2"))
    await merge(office, other.customer_id, one.customer_id)
    (suggestion,) = await suggested(office, call.customer_id)
    assert suggestion["other"]["id"] == str(one.customer_id)
    assert len(suggestion["reasons"]) == 2
    await office.client.post(f"/api/v1/suggestions/{suggestion['id']}/refuse", json={})
    assert await suggested(office, call.customer_id) == []
    await unmerge(office, one.customer_id, other.customer_id)
    assert len(await suggested(office, call.customer_id)) == 1


async def test_a_suggestion_that_is_none_cannot_be_decided(office: Office) -> None:
    for how in ("accept", "refuse"):
        assert (await office.post(f"/suggestions/{uuid4()}/{how}", status=404))["code"] == "no_such_suggestion"


async def test_the_log_of_a_customer_is_that_of_the_group(office: Office) -> None:
    anna, ben, _ = await three(office)
    await merge(office, ben.customer_id, anna.customer_id)
    for id_ in (anna.customer_id, ben.customer_id):
        found = (await office.get("/events", after=0, customer_id=id_, type="MessageReceived"))["items"]
        assert [each["data"]["text"] for each in found] == ["I am Anna", "I am Ben"]


async def test_the_same_merge_asked_for_again_is_the_same_merge(office: Office) -> None:
    anna, ben, _ = await three(office)
    once, again = [await merge(office, ben.customer_id, anna.customer_id) for _ in range(2)]
    assert once == again
    merged = (await office.get("/events", after=0, type="CustomersMerged"))["items"]
    assert len(merged) == 1
