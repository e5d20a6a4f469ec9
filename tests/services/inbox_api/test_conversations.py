"""The lists, the messages, and everything an operator can do with a conversation."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

import msgspec

from services.inbox_api import shapes
from services.projector import inbound as intake
from shared.clock import to_text
from shared.contracts.inbound import FileRef
from shared.domain import commands as c
from shared.read_models.entries import attachment_id
from shared.registry.health import report
from tests.examples import AT, MAILBOX, SYSTEM, call_report, inbound, unreadable
from tests.services.inbox_api.office import Office

CHANNEL = {"id": str(MAILBOX), "kind": "email", "name": "Support"}
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
        "customer": {"id": str(message.customer_id), "name": "Anna", "address": "anna@example.com"},
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
    await office.post(f"/conversations/{second.conversation_id}/replies", body, 404)


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


# --- lists ------------------------------------------------------------------------------------------------


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
    for as_of in (to_text(then), local, local.replace("+", " ")):
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
    assert operator == await office.get("/session")


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


# --- files ------------------------------------------------------------------------------------------------


async def test_an_attachment_is_a_download_that_no_browser_runs(office: Office) -> None:
    sha256 = await office.blobs.put(b"<script>alert(1)</script>")
    names = ['a".html\r\nX-Evil: 1', "счёт № 1; х.pdf", "../../etc/passwd", "", "a" * 300]
    types = ["text/html", "text/html\r\nX-Evil: 1", "ünicode/x", "", 'image/svg+xml; charset="x"']
    files = [FileRef(sha256, 25, name, kind) for name, kind in zip(names, types, strict=True)]
    (message,) = await office.receive(inbound(files=tuple(files)))
    for index, name in enumerate(names):
        answer = await office.client.get(f"/api/v1/attachments/{attachment_id(message.message_id, index)}")
        assert (answer.status_code, answer.content) == (200, b"<script>alert(1)</script>")
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith("attachment; filename*=UTF-8''")
        assert unquote(disposition.removeprefix("attachment; filename*=UTF-8''")) == name
        assert disposition.isascii()
        assert disposition.isprintable()
        assert "x-evil" not in answer.headers
        assert "\r" not in answer.headers["content-type"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


async def test_an_attachment_whose_blob_is_lost_is_not_found(office: Office) -> None:
    (message,) = await office.receive(inbound(files=(FileRef("ab" * 32, 1, "a", "text/plain"),)))
    answer = await office.client.get(f"/api/v1/attachments/{attachment_id(message.message_id, 0)}")
    assert answer.json()["detail"] == "the file is not in the blob folder"


async def test_raw_items_come_from_the_table_or_from_the_blobs(office: Office) -> None:
    large, item = b"x" * 100_000, inbound("small")
    kept = replace(item.raw, sha256=await office.blobs.put(large), size=len(large), data=None)
    lost = replace(kept, sha256="ab" * 32)
    messages = await office.receive(item, inbound(raw=kept), inbound(raw=lost))
    urls = []
    for message in messages:
        page = await office.get(f"/conversations/{message.conversation_id}/messages")
        urls.append(page["items"][0]["raw"]["url"])
    small, big, nothing = [await office.client.get(url) for url in urls]
    assert (small.content, small.headers["content-type"]) == (b"small", "application/octet-stream")
    assert (big.content, nothing.status_code) == (large, 404)
    assert (await office.client.get("/api/v1/raw/1")).status_code == 404


async def test_a_nul_in_what_is_written_stops_no_table(office: Office) -> None:
    """PostgreSQL stores it in no text: the read models would stop at such an event."""
    (message,) = await office.receive(inbound())
    note = await office.post(f"/conversations/{message.conversation_id}/notes", {"text": "a\0b"}, 201)
    assert note["text"] == "a\ufffdb"
