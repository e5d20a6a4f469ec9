"""The lists, the messages, and everything an operator can do with a conversation."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import msgspec

from services.inbox_api import shapes
from shared.clock import to_text
from shared.contracts.inbound import FileRef
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.mapper import About, Happening
from shared.read_models.entries import attachment_id
from tests.examples import AT, MAILBOX, SYSTEM, call_report, inbound
from tests.services.inbox_api.office import CHANNEL, Office

FIELDS = {
    "id", "conversation_id", "customer_id", "direction", "kind", "channel", "external_id", "occurred_at", "recorded_at",
    "author", "subject", "text", "full_text", "html", "attachments", "raw", "delivery", "fields", "call", "position",
    "nature", "warnings", "edited_at", "versions", "deleted_at", "reactions",
}  # fmt: skip


async def test_a_conversation_as_the_list_and_its_own_address_show_it(office: Office) -> None:
    (message,) = await office.receive(inbound("Where  is\nmy order?"))
    at = to_text(office.clock.at)
    shown = await office.get(f"/conversations/{message.conversation_id}")
    assert shown == {
        "id": str(message.conversation_id),
        "customer_id": str(message.customer_id),
        "customer": {"id": str(message.customer_id), "name": "Anna", "address": "anna@example.com", "erased": False},
        "channel": CHANNEL,
        "subject": "Question",
        "status": "open",
        "snoozed_until": None,
        "assignee": None,
        "tags": [],
        "unanswered": True,
        "waiting_since": to_text(AT),
        "messages_count": 1,
        "last_message": {
            "id": str(message.message_id),
            "direction": "inbound",
            "kind": "text",
            "author_name": "Anna",
            "preview": "Where is my order?",
            "occurred_at": to_text(AT),
            "call": None,
        },
        "opened_at": at,
        "changed_at": at,
        "position": 3,
        "merged_into": None,
        "reply_to": ["anna@example.com"],
        "reply_channel": CHANNEL,
        "cannot_reply": None,
    }
    assert await office.get("/conversations") == {"items": [shown], "next": None}
    assert await office.get("/conversations", status="closed") == {"items": [], "next": None}
    assert (await office.get("/conversations", customer_id=message.customer_id))["items"] == [shown]
    assert (await office.get("/conversations", customer_id=uuid4()))["items"] == []


async def test_a_message_as_it_is_shown(office: Office) -> None:
    item = inbound(
        "New",
        full_text="New\n> old",
        html="<p>New</p>",
        fields=(("Имя", "Анна"),),
        files=(FileRef("cd" * 32, 5, "счёт.pdf", "application/pdf"),),
    )
    (message,) = await office.receive(item)
    page = await office.get(f"/conversations/{message.conversation_id}/messages")
    id_ = str(attachment_id(item.id, 0))
    file = {"id": id_, "name": "счёт.pdf", "media_type": "application/pdf", "size": 5, "sha256": "cd" * 32}
    raw = {"sha256": item.raw.sha256, "size": item.raw.size, "url": "/api/v1/raw/3"}
    shown = {
        "id": str(item.id),
        "conversation_id": str(message.conversation_id),
        "customer_id": str(message.customer_id),
        "direction": "inbound",
        "kind": "text",
        "channel": CHANNEL,
        "external_id": item.external_id,
        "occurred_at": to_text(AT),
        "recorded_at": to_text(office.clock.at),
        "author": {"kind": "customer", "name": "Anna", "address": "anna@example.com"},
        "subject": "Question",
        "text": "New",
        "full_text": "New\n> old",
        "html": "<p>New</p>",
        "attachments": [{**file, "url": f"/api/v1/attachments/{id_}", "content_id": None}],
        "raw": raw,
        "fields": [["Имя", "Анна"]],
        "call": None,
        "delivery": None,
        "nature": "ordinary",
        "warnings": [],
        "edited_at": None,
        "versions": [],
        "deleted_at": None,
        "reactions": [],
        "position": 3,
    }
    assert page == {"items": [shown], "next": None}
    msgspec.convert(page, shapes.Messages)


async def test_a_message_to_beware_of_shows_why(office: Office) -> None:
    (message,) = await office.receive(inbound(nature="automatic", warnings=("dmarc_failed",)))
    (shown,) = (await office.get(f"/conversations/{message.conversation_id}/messages"))["items"]
    assert (shown["nature"], shown["warnings"]) == ("automatic", ["dmarc_failed"])
    conversation = await office.get(f"/conversations/{message.conversation_id}")
    assert (conversation["unanswered"], conversation["reply_to"]) == (False, ["anna@example.com"])


async def test_spam_is_not_in_the_list_of_open_conversations(office: Office) -> None:
    await office.receive(inbound(nature="spam"))
    assert (await office.get("/conversations"))["items"] == []
    (conversation,) = (await office.get("/conversations", status="closed"))["items"]
    assert (conversation["tags"], conversation["unanswered"]) == (["spam"], False)


async def test_every_entry_of_a_timeline_has_the_fields_of_a_message(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}"
    await office.post(f"{path}/replies", {"text": "Hi"}, 201)
    await office.post(f"{path}/notes", {"text": "hm"}, 201)
    await office.post(f"{path}/assign", {"operator_id": str(office.olga.id)})
    await office.post(f"{path}/snooze", {"until": "2099-01-01T00:00:00Z"})
    await office.post(f"{path}/reopen")
    await office.post(f"{path}/tags", {"add": ["vip"]})
    await office.post(f"{path}/close")
    entries = (await office.get(f"/customers/{message.customer_id}/timeline"))["items"]
    kinds = ["text", "text", "note", "assigned", "snoozed", "reopened", "tagged", "closed"]
    assert [entry["kind"] for entry in entries] == kinds
    assert {entry["kind"]: FIELDS - entry.keys() for entry in entries if FIELDS - entry.keys()} == {}
    assert {entry["author"]["name"] for entry in entries[1:]} == {"Olga"}


async def test_a_call_shows_how_it_went(office: Office) -> None:
    (message,) = await office.receive(call_report("ringing"))
    (_,) = (await office.get("/conversations"))["items"]
    await office.receive(call_report("finished", answered_by="Olga", waiting_seconds=3, talking_seconds=60))
    (entry,) = (await office.get(f"/customers/{message.customer_id}/timeline"))["items"]
    assert entry["kind"] == "call"
    assert entry["call"] == {
        "state": "finished", "direction": "inbound", "from": "+4915112345678", "to": "+4930123",
        "answered_by": "Olga", "waiting_seconds": 3, "talking_seconds": 60, "recording": None,
        "on_hold": False, "transferred_to": None, "reported": True,
        "started_at": None, "answered_at": None, "ended_at": None, "legs": [],
    }  # fmt: skip


# --- what operators do ------------------------------------------------------------------------------------


async def test_a_reply_is_queued_and_shown_at_once(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}"
    reply = await office.post(f"{path}/replies", {"text": "Hi Anna"}, 201)
    assert (reply["text"], reply["direction"], reply["kind"]) == ("Hi Anna", "outbound", "text")
    assert reply["author"] == {"kind": "operator", "name": "Olga", "address": None}
    assert reply["delivery"] == {
        "state": "queued", "attempts": 0, "error": None, "changed_at": reply["occurred_at"]
    }  # fmt: skip
    shown = await office.get(path)
    assert (shown["unanswered"], shown["waiting_since"], shown["last_message"]["preview"]) == (False, None, "Hi Anna")
    assert (await office.get(f"{path}/messages"))["items"][-1] == reply


async def test_the_same_reply_sent_again_is_one_reply(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path, id_ = f"/conversations/{message.conversation_id}/replies", str(uuid4())
    first = await office.post(path, {"text": "Hi", "id": id_}, 201)
    again = await office.post(path, {"text": "Hi", "id": id_}, 201)
    header = await office.client.post(f"/api/v1{path}", json={"text": "Hi"}, headers={"Idempotency-Key": id_})
    bad = await office.client.post(f"/api/v1{path}", json={"text": "Hi"}, headers={"Idempotency-Key": "1"})
    assert (first["id"], again, header.json(), bad.status_code) == (id_, first, first, 422)


async def test_the_same_reply_sent_many_times_at_once_is_one_reply(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path, id_ = f"/conversations/{message.conversation_id}/replies", str(uuid4())
    answers = await asyncio.gather(*(office.post(path, {"text": "Hi", "id": id_}, 201) for _ in range(8)))
    assert [answer["id"] for answer in answers] == [id_] * 8
    types = [event["type"] for event in (await office.get("/events"))["items"]]
    assert types.count("ReplyRequested") == 1


async def test_a_reply_id_of_another_conversation_is_not_shown_here(office: Office) -> None:
    first, second = await office.receive(inbound(), inbound())
    body = {"text": "secret", "id": str(uuid4())}
    await office.post(f"/conversations/{first.conversation_id}/replies", body, 201)
    refused = await office.post(f"/conversations/{second.conversation_id}/replies", body, 422)
    assert (refused["code"], "secret" in str(refused)) == ("id_taken", False)


async def test_a_client_without_an_address_cannot_be_answered(office: Office) -> None:
    (message,) = await office.receive(inbound(cannot_reply="The form has no e-mail address"))
    path = f"/conversations/{message.conversation_id}"
    assert (await office.get(path))["cannot_reply"] == "The form has no e-mail address"
    refused = await office.post(f"{path}/replies", {"text": "Hi"}, 422)
    assert (refused["code"], refused["detail"]) == ("cannot_reply", "The form has no e-mail address")


async def test_a_failed_reply_is_sent_again_when_the_operator_says_so(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}"
    reply = await office.post(f"{path}/replies", {"text": "Hi"}, 201)
    command = c.RecordDelivery(UUID(reply["id"]), MAILBOX, 1, "failed", 3, error="no such user", code="550")
    handled = await office.store.handle(message.conversation_id, command, SYSTEM)
    assert await office.api.context.views.reach(handled.position)
    (_, shown) = (await office.get(f"{path}/messages"))["items"]
    assert (shown["delivery"]["state"], shown["delivery"]["attempts"]) == ("failed", 3)
    assert shown["delivery"]["error"] == "no such user"
    assert (await office.get(path))["unanswered"]
    again = await office.post(f"{path}/messages/{reply['id']}/retry")
    assert again["delivery"]["state"] == "queued"
    assert (await office.post(f"{path}/messages/{uuid4()}/retry", status=404))["code"] == "no_such_reply"


async def test_assigning_snoozing_closing_reopening_and_tagging(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}"
    olga = {"id": str(office.olga.id), "name": "Olga"}
    assert (await office.post(f"{path}/assign", {"operator_id": olga["id"]}))["assignee"] == olga
    assert (await office.post(f"{path}/assign", {"operator_id": None}))["assignee"] is None
    snoozed = await office.post(f"{path}/snooze", {"until": "2099-01-01T02:00:00+02:00"})
    assert (snoozed["status"], snoozed["snoozed_until"]) == ("snoozed", "2099-01-01T00:00:00.000000Z")
    assert (await office.get("/conversations", status="snoozed"))["items"] == [snoozed]
    closed = await office.post(f"{path}/close")
    assert (closed["status"], closed["snoozed_until"], closed["unanswered"]) == ("closed", None, False)
    assert await office.post(f"{path}/close") == closed
    assert (await office.post(f"{path}/reopen"))["status"] == "open"
    tagged = await office.post(f"{path}/tags", {"add": ["vip", " new "], "remove": ["old"]})
    assert tagged["tags"] == ["new", "vip"]
    assert (await office.post(f"{path}/tags", {"remove": ["vip"]}))["tags"] == ["new"]


async def test_a_snooze_to_the_end_of_the_calendar_stops_nobody(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}"
    await office.post(f"{path}/snooze", {"until": "9999-12-31T23:59:59-05:00"})
    assert (await office.post(f"{path}/close"))["status"] == "closed"


async def test_a_message_is_moved_by_one_call_and_the_past_knows_where_it_was(office: Office) -> None:
    first, second = await office.receive(inbound("first"), inbound("second", sender="ben@example.com"))
    before = to_text(office.clock.at)
    office.clock.forward(60)
    path = f"/conversations/{second.conversation_id}/messages/{second.message_id}/move"
    shown = await office.post(path, {"to": str(first.conversation_id)})
    assert (shown["id"], shown["messages_count"]) == (str(first.conversation_id), 2)
    timeline_path = f"/customers/{first.customer_id}/timeline"
    for as_of in ({}, {"as_of": "2999-01-01"}):
        assert [entry["text"] for entry in (await office.get(timeline_path, **as_of))["items"]] == ["first", "second"]
    assert [entry["text"] for entry in (await office.get(timeline_path, as_of=before))["items"]] == ["first"]
    theirs = (await office.get(f"/customers/{second.customer_id}/timeline"))["items"]
    assert [(entry["kind"], entry["author"]["name"]) for entry in theirs] == [("moved", "Olga"), ("closed", "Olga")]
    alone = await office.post(path.replace(str(second.conversation_id), str(first.conversation_id)), {"to": None})
    assert alone["customer_id"] == str(second.customer_id)
    await office.post(path, {"to": None}, 404)
    await office.post(path, {"to": "x"}, 422)


async def test_nothing_is_moved_to_somebody_who_was_erased(office: Office) -> None:
    gone, ben = await office.receive(inbound("first"), inbound("second", sender="ben@example.com"))
    erased = Happening(e.CustomerErased(gone.customer_id, uuid4(), ""), About(AT, e.Actor("system")))
    await office.store.record(lambda session, tx: session.add(gone.customer_id, erased))
    path = f"/conversations/{ben.conversation_id}/messages/{ben.message_id}/move"
    refused = await office.post(path, {"to": str(gone.conversation_id)}, 422)
    assert refused["code"] == "erased"
    assert [item["text"] for item in (await office.get(f"/customers/{ben.customer_id}/timeline"))["items"]] == [
        "second"
    ]
