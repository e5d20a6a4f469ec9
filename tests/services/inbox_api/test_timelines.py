"""A customer's timeline by filters, anything as of a past moment, and why an entry stands where it stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.projector import delivery
from shared.clock import to_text
from shared.contracts.delivery import DeliveryReport
from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store.session import Session
from tests.examples import AT, MAILBOX, call_report, delivery_report, inbound
from tests.services.inbox_api.office import Office


async def lived(office: Office) -> e.MessageReceived:
    """A mail at 12:00 that came at 12:10 by our clock, a note and an assignment at 12:20, a reply at 12:30, a call."""
    office.clock.at = AT + timedelta(minutes=10)
    (message,) = await office.receive(inbound("Where is my order?"))
    office.clock.forward(600)
    path = f"/conversations/{message.conversation_id}"
    await office.post(f"{path}/notes", {"text": "Заказ 7"}, 201)
    await office.post(f"{path}/assign", {"operator_id": str(office.olga.id)})
    office.clock.forward(600)
    await office.post(f"{path}/replies", {"text": "On its way"}, 201)
    office.clock.forward(600)
    await office.post(f"{path}/close")
    return message


async def kinds(office: Office, message: e.MessageReceived, **query: Any) -> list[str]:
    page = await office.get(f"/customers/{message.customer_id}/timeline", **query)
    return [entry["kind"] for entry in page["items"]]


async def test_a_timeline_is_filtered_by_kind_channel_author_and_time(office: Office) -> None:
    message = await lived(office)
    assert await kinds(office, message) == ["text", "note", "assigned", "text", "closed"]
    assert await kinds(office, message, kind="note") == ["note"]
    assert await kinds(office, message, kind="note,closed", order="desc") == ["closed", "note"]
    assert await kinds(office, message, channel=MAILBOX) == ["text", "text"]
    assert await kinds(office, message, channel="email") == ["text", "text"]
    assert await kinds(office, message, channel="telegram") == []
    assert await kinds(office, message, author="customer") == ["text"]
    assert await kinds(office, message, author=office.olga.id) == ["note", "assigned", "text", "closed"]
    assert await kinds(office, message, author="operator", kind="text") == ["text"]
    since, until = to_text(AT + timedelta(minutes=20)), to_text(AT + timedelta(minutes=30))
    assert await kinds(office, message, since=since, until=until) == ["note", "assigned", "text"]
    assert await kinds(office, message, until=to_text(AT + timedelta(minutes=5))) == []
    assert await kinds(office, message, until=to_text(AT + timedelta(minutes=5)), by="happened") == ["text"]


async def test_pages_stay_right_while_new_things_arrive(office: Office) -> None:
    message = await lived(office)
    path = f"/customers/{message.customer_id}/timeline"
    for by in ("known", "happened"):
        whole = (await office.get(path, by=by, order="desc"))["items"]
        first = await office.get(path, by=by, order="desc", limit=2)
        await office.receive(inbound("One more"))
        rest = await office.get(path, by=by, order="desc", limit=50, cursor=first["next"])
        paged = [*first["items"], *rest["items"]]
        if by == "happened":  # what came late stands where it happened
            paged = [entry for entry in paged if entry["id"] in {each["id"] for each in whole}]
        assert paged == whole


async def test_the_past_as_the_window_asks_for_it(office: Office) -> None:
    message = await lived(office)
    conversation, customer = f"/conversations/{message.conversation_id}", f"/customers/{message.customer_id}"
    then = {"as_of": to_text(AT + timedelta(minutes=25))}
    assert await kinds(office, message, **then) == ["text", "note", "assigned"]
    shown = await office.get(conversation, **then)
    assert (shown["status"], shown["unanswered"], shown["assignee"]["name"]) == ("open", True, "Olga")
    assert (await office.get("/conversations", **then))["items"] == [shown]
    assert (await office.get("/conversations", status="closed", **then))["items"] == []
    assert [m["text"] for m in (await office.get(f"{conversation}/messages", **then))["items"]] == [
        "Where is my order?", "Заказ 7",
    ]  # fmt: skip
    assert (await office.get(customer, **then))["conversations"] == 1
    early = to_text(AT + timedelta(minutes=5))
    for path in (conversation, customer):
        assert (await office.client.get(f"/api/v1{path}", params={"as_of": early})).status_code == 404
    assert (await office.get("/conversations", status="all", as_of=early))["items"] == []


async def test_what_had_happened_is_told_apart_from_what_was_known(office: Office) -> None:
    message = await lived(office)
    then = {"as_of": to_text(AT + timedelta(minutes=5)), "by": "happened"}
    assert await kinds(office, message, **then) == ["text"]
    (shown,) = (await office.get("/conversations", **then))["items"]
    assert shown == await office.get(f"/conversations/{message.conversation_id}", **then)
    assert (shown["messages_count"], shown["assignee"]) == (1, None)
    assert (await office.get(f"/customers/{message.customer_id}", **then))["conversations"] == 1


@pytest.mark.parametrize(
    "query",
    [{"by": "guess"}, {"since": "yesterday"}, {"until": "x"}, {"author": "me"}, {"kind": ",".join("abcdefg" * 9)},
     {"cursor": "1.2", "by": "happened"}, {"as_of": "14:05"}],
)  # fmt: skip
async def test_what_cannot_be_asked_is_a_problem(office: Office, query: dict[str, str]) -> None:
    message = await lived(office)
    answer = await office.client.get(f"/api/v1/customers/{message.customer_id}/timeline", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_the_ends_of_the_calendar_are_moments(office: Office, at: str) -> None:
    message = await lived(office)
    for by in ("known", "happened"):
        there = at.startswith("9")
        assert len((await office.get("/conversations", status="all", as_of=at, by=by))["items"]) == there
        assert bool(await kinds(office, message, as_of=at, by=by, since="0001-01-01T00:00:00Z")) == there


async def test_customers_who_are_one_are_shown_so_in_the_past_and_by_filters(office: Office) -> None:
    message = await lived(office)
    (other,) = await office.receive(inbound("Me again", "anna@work.example"))
    before = to_text(office.clock.at)
    office.clock.forward(60)
    await office.post(f"/customers/{other.customer_id}/merge", {"into": str(message.customer_id)})
    merged = to_text(office.clock.at)
    office.clock.forward(60)
    await office.post(f"/customers/{message.customer_id}/unmerge", {"customer": str(other.customer_id)})
    for id_ in (message.customer_id, other.customer_id):
        for by in ("known", "happened"):
            then = {"as_of": merged, "by": by}
            page = await office.get(f"/customers/{id_}/timeline", kind="text,merged", **then)
            said = [entry["kind"] for entry in page["items"] if by == "known" or entry["kind"] != "merged"]
            assert (
                said == ["text", "text", "text", "merged"][: 4 if by == "known" else 3]
            )  # it happened by a real clock
            assert {entry["customer_id"] for entry in page["items"]} == {str(message.customer_id)}
            customer = await office.get(f"/customers/{id_}", **then)
            assert (customer["id"], customer["conversations"]) == (str(message.customer_id), 2)
            assert customer["card"]["customer_id"] == str(message.customer_id)
            listed = (await office.get("/conversations", status="all", customer_id=id_, **then))["items"]
            assert {each["customer"]["id"] for each in listed} == {str(message.customer_id)}
            assert len(listed) == 2
    (entry,) = (await office.get(f"/customers/{other.customer_id}/timeline", kind="merged", as_of=merged))["items"]
    found = await why(office, entry)
    assert (found["because"]["kind"], found["because"]["name"], found["conversation"]) == ("operator", "Olga", None)
    assert ("MemberJoined", "together") in chain(found)
    for moment in ({}, {"as_of": before}):
        assert await kinds(office, other, kind="merged", **moment) == []
        assert (await office.get(f"/customers/{other.customer_id}", **moment))["conversations"] == 1


# --- why --------------------------------------------------------------------------------------------------


async def why(office: Office, entry: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await office.get(f"/events/{entry['position']}/why")
    return found


def chain(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(link["type"], link["relation"]) for link in found["chain"]]


async def test_why_a_message_stands_where_it_stands(office: Office) -> None:
    item = inbound("Where is my order?")
    (message,) = await office.receive(item)
    (entry,) = (await office.get(f"/customers/{message.customer_id}/timeline"))["items"]
    found = await why(office, entry)
    raw = {**entry["raw"], "media_type": "message/rfc822"}
    assert found["because"] == {
        "kind": "item",
        "id": str(item.id),
        "name": None,
        "reason": message.joined_because,
        "raw": raw,
    }
    assert (await office.client.get(raw["url"])).content == item.raw.data
    assert chain(found) == [("CustomerRegistered", "item"), ("ConversationOpened", "item"), ("MessageReceived", "this")]
    assert found["conversation"] == {
        "id": str(message.conversation_id), "reason": message.joined_because, "score": message.joined_score,
    }  # fmt: skip
    assert found["actor"] == {"kind": "customer", "id": "email:anna@example.com", "name": "Anna"}


async def test_why_a_reply_was_sent_and_what_became_of_it(office: Office) -> None:
    (message,) = await office.receive(inbound("Where is my order?"))
    reply = await office.post(f"/conversations/{message.conversation_id}/replies", {"text": "On its way"}, 201)
    report = DeliveryReport(
        UUID(reply["id"]), message.conversation_id, MAILBOX, 1, "failed", AT, 3, error="550 no such user", code="5.1.1"
    )
    await record(office, report)
    await office.database.write(lambda tx: taken_by_outbound(tx, reply, message))
    found = await why(office, reply)
    assert found["because"] == {
        "kind": "operator", "id": str(office.olga.id), "name": "Olga", "reason": None, "raw": None,
    }  # fmt: skip
    assert chain(found) == [("MessageReceived", "answers"), ("ReplyRequested", "this"), ("ReplyFailed", "about")]
    assert found["chain"][-1]["facts"] == {
        "attempt": 1, "tries": 3, "error": "550 no such user", "code": "5.1.1",
    }  # fmt: skip
    (attempt,) = found["attempts"]
    assert (attempt["state"], attempt["tries"], attempt["error"]) == ("failed", 3, "550 no such user")
    failed = (await office.get(f"/customers/{message.customer_id}/timeline", kind="delivery"))["items"][0]
    assert (failed["kind"], failed["text"]) == ("delivery_failed", "550 no such user")
    because = (await why(office, failed))["because"]
    assert (because["kind"], because["id"], because["name"]) == ("reply", reply["id"], "Olga")


async def record(office: Office, report: DeliveryReport) -> None:
    def decide(session: Session, tx: Transaction) -> None:
        delivery.record(session, tx, [report])

    handled = await office.store.record(decide)
    assert await office.api.context.views.reach(handled.position)


async def test_a_reply_that_waits_for_another_try_says_how_often_it_was_tried(office: Office) -> None:
    (message,) = await office.receive(inbound())
    here = f"/conversations/{message.conversation_id}"
    reply = await office.post(f"{here}/replies", {"text": "Hi", "id": str(uuid4())}, 201)
    asked = {"text": "Hi", "id": reply["id"]}
    await office.database.write(lambda tx: taken_by_outbound(tx, reply, message, "waiting"))
    lists = [await office.get(path) for path in (f"{here}/messages", f"/customers/{message.customer_id}/timeline")]
    shown = [*(page["items"][-1] for page in lists), await office.post(f"{here}/replies", asked, 201)]
    queued = reply["delivery"]
    assert (queued["state"], queued["attempts"]) == ("queued", 0)
    assert [each["delivery"] for each in shown] == [{**queued, "attempts": 3}] * 3
    await record(office, delivery_report(UUID(reply["id"]), message.conversation_id, tries=4))
    assert (await office.get(f"{here}/messages"))["items"][-1]["delivery"]["attempts"] == 4


def taken_by_outbound(
    tx: Transaction, reply: dict[str, Any], message: e.MessageReceived, state: str = "failed"
) -> None:
    at = to_text(AT)
    row = (
        reply["id"], 1, reply["position"], str(message.conversation_id), str(MAILBOX), b"{}", state, 3, at, at,
        "", "", "550 no such user", "5.1.1", "", "[]", 1, at, at,
    )  # fmt: skip
    tx.run(f"INSERT INTO deliveries VALUES ({','.join('?' * len(row))})", row)


async def test_why_a_call_back_is_due(office: Office) -> None:
    call = call_report("missed")
    (message,) = await office.receive(call)
    entries = (await office.get(f"/customers/{message.customer_id}/timeline", kind="step"))["items"]
    found = await why(office, entries[0])
    assert (found["because"]["kind"], found["because"]["id"]) == ("item", str(call.id))
    assert found["because"]["raw"]["url"] == f"/api/v1/raw/{message_position(found)}"
    assert ("StepPlanned", "this") in chain(found)


def message_position(found: dict[str, Any]) -> int:
    return next(int(link["position"]) for link in found["chain"] if link["type"] == "MessageReceived")


async def test_why_knows_nothing_of_what_is_not_there(office: Office) -> None:
    for position in ("999", "x", "-1", str(2**63 - 1), str(2**63), "9" * 30, str(uuid4())):
        assert (await office.client.get(f"/api/v1/events/{position}/why")).status_code == 404
