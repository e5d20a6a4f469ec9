"""What operators say: to whom, with which files, and what is done with what was said."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from services.projector import delivery
from shared.domain import events as e
from shared.event_store.log import read_log
from tests.examples import LINE, MAILBOX, call_report, delivery_report, inbound
from tests.services.inbox_api.office import Office


async def requested(office: Office) -> Any:
    """Return the last request to outbound in the log."""
    log = await office.database.read(lambda tx: read_log(tx, 0, 1000))
    return [r.event for r in log if isinstance(r.event, e.ReplyRequested | e.ActionRequested)][-1]


async def sent(office: Office, conversation_id: UUID, reply_id: str, its_id: str = "<ours@okno>", **fate: Any) -> None:
    report = delivery_report(UUID(reply_id), conversation_id, external_id=its_id, **fate)
    handled = await office.store.record(lambda session, tx: delivery.record(session, tx, [report]))
    assert await office.api.context.views.reach(handled.position)


async def test_a_draft_says_to_whom_the_answer_would_go(office: Office) -> None:
    await office.database.write(
        lambda tx: tx.run("""UPDATE channels SET settings = '{"address": "Us@okno.example"}'""")
    )
    (message,) = await office.receive(inbound(recipients=("us@okno.example", "boss@example.com", "anna@example.com")))
    assert await office.get(f"/conversations/{message.conversation_id}/draft") == {
        "to": [{"kind": "email", "address": "anna@example.com", "name": "Anna"}],
        "cc": [], "bcc": [], "others": ["boss@example.com"], "subject": "Question", "cannot_reply": None,
        "channel": {"id": str(MAILBOX), "kind": "email", "name": "Support"},
        "signature": "",
    }  # fmt: skip
    assert (await office.client.get(f"/api/v1/conversations/{uuid4()}/draft")).status_code == 404


async def test_a_reply_goes_to_whom_the_operator_says_with_files_and_markup(office: Office) -> None:
    (message,) = await office.receive(inbound())
    upload = await office.client.post(
        "/api/v1/files?name=счёт.pdf", content=b"%PDF", headers={"Content-Type": "application/pdf"}
    )
    assert upload.status_code == 201
    file = upload.json()
    assert {key: file[key] for key in ("size", "name", "media_type")} == {
        "size": 4, "name": "счёт.pdf", "media_type": "application/pdf"
    }  # fmt: skip
    body = {
        "text": "**Hi**", "markup": "markdown", "to": ["ben@example.com"], "cc": ["boss@example.com"],
        "bcc": ["log@okno.example"], "quotes": True, "files": [file],
    }  # fmt: skip
    reply = await office.post(f"/conversations/{message.conversation_id}/replies", body, 201)
    assert (reply["to"], reply["cc"], reply["bcc"], reply["markup"]) == (
        ["ben@example.com"], ["boss@example.com"], ["log@okno.example"], "markdown"
    )  # fmt: skip
    assert (await office.client.get(reply["attachments"][0]["url"])).content == b"%PDF"
    event = await requested(office)
    assert (event.quotes, event.files[0].sha256) == (True, file["sha256"])
    assert event.bcc == (e.Address("email", "log@okno.example"),)


async def test_a_picture_that_the_text_names_keeps_its_name(office: Office) -> None:
    (message,) = await office.receive(inbound())
    upload = await office.client.post("/api/v1/files?name=a.png", content=b"PNG", headers={"Content-Type": "image/png"})
    path = f"/conversations/{message.conversation_id}/replies"
    body = {"text": "![a](cid:a@okno)", "markup": "markdown"}
    await office.post(path, body | {"files": [upload.json() | {"content_id": "a@okno"}]}, 201)
    assert [file.content_id for file in (await requested(office)).files] == ["a@okno"]
    wrong = await office.post(path, body | {"files": [upload.json() | {"content_id": "a\r\nb"}]}, 422)
    assert "is no content_id" in wrong["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"to": []}, "bad_recipients"),
        ({"to": ["a@b\r\nBcc: x@y"]}, "bad_address"),
        ({"cc": ["nonsense"]}, "bad_address"),
        ({"cc": ["a@b"] * 60}, "bad_recipients"),
        ({"text": " "}, "empty_text"),
    ],
)
async def test_a_reply_to_nobody_or_nonsense_is_refused(office: Office, body: dict[str, Any], code: str) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}/replies"
    assert (await office.post(path, {"text": "Hi"} | body, 422))["code"] == code


async def test_only_a_mail_goes_to_others(office: Office) -> None:
    (message,) = await office.receive(call_report("finished"))
    path = f"/conversations/{message.conversation_id}/replies"
    assert (await office.post(path, {"text": "Hi", "cc": ["a@b"]}, 422))["code"] == "no_other_recipients"


async def test_an_unknown_file_is_refused(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}/replies"
    for sha256 in ("ab" * 32, "../../etc/passwd"):
        await office.post(path, {"text": "Hi", "files": [{"sha256": sha256, "name": "a"}]}, 422)


async def test_what_was_sent_is_edited_and_deleted_once_the_channel_has_done_it(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}"
    reply = await office.post(f"{path}/replies", {"text": "Helo"}, 201)
    mine = f"{path}/messages/{reply['id']}"
    assert (await office.post(f"{mine}/edit", {"text": "Hello"}, 422))["code"] == "not_sent"
    await sent(office, message.conversation_id, reply["id"])
    action = await office.post(f"{mine}/edit", {"text": "Hello"}, 201)
    assert (action["kind"], action["delivery"]["state"]) == ("action_edit", "queued")
    event = await requested(office)
    assert (event.action, event.target, event.text, event.message_id) == (
        "edit", "<ours@okno>", "Hello", UUID(reply["id"])
    )  # fmt: skip
    assert (await office.get(f"{path}/messages"))["items"][1]["text"] == "Helo"
    await sent(office, message.conversation_id, action["id"])
    shown = (await office.get(f"{path}/messages"))["items"][1]
    assert (shown["text"], [version["text"] for version in shown["versions"]]) == ("Hello", ["Helo"])
    deletion = await office.post(f"{mine}/delete", {}, 201)
    await sent(office, message.conversation_id, deletion["id"])
    assert (await office.get(f"{path}/messages"))["items"][1]["deleted_at"] is not None
    theirs = f"{path}/messages/{message.message_id}"
    assert (await office.post(f"{theirs}/edit", {"text": "x"}, 422))["code"] == "not_ours"


async def test_a_reaction_of_ours_ends_the_waiting_and_a_failed_one_changes_nothing(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}"
    theirs = f"{path}/messages/{message.message_id}"
    failing = await office.post(f"{theirs}/react", {"reaction": "👍"}, 201)
    await sent(office, message.conversation_id, failing["id"], state="failed", error="no")
    assert (await office.get(path))["unanswered"]
    await office.post(f"{path}/messages/{failing['id']}/retry")
    done = await office.post(f"{theirs}/react", {"reaction": "👍"}, 201)
    await sent(office, message.conversation_id, done["id"])
    (shown,) = (await office.get(f"{path}/messages"))["items"]
    by_olga = {"kind": "operator", "name": "Olga"}
    assert [(each["author"], each["reactions"]) for each in shown["reactions"]] == [(by_olga, ["👍"])]
    assert not (await office.get(path))["unanswered"]
    await office.post(f"{path}/messages/{uuid4()}/react", {"reaction": "👍"}, 404)


async def test_a_reaction_of_another_operator_takes_the_place_of_the_one_before(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}"
    ben = {"Authorization": f"Bearer {await office.token_of('ben@okno.example', 'operator')}"}
    for headers, reaction in ((None, "👍"), (ben, "🔥")):
        there = f"/api/v1{path}/messages/{message.message_id}/react"
        asked = await office.client.post(there, json={"reaction": reaction}, headers=headers)
        await sent(office, message.conversation_id, asked.json()["id"])
    (shown,) = (await office.get(f"{path}/messages"))["items"]
    by_ben = {"kind": "operator", "name": "ben"}
    assert [(each["author"], each["reactions"]) for each in shown["reactions"]] == [(by_ben, ["🔥"])]


async def test_a_click_calls_the_number_the_client_called_from(office: Office) -> None:
    (message,) = await office.receive(call_report("missed"))
    action = await office.post(f"/conversations/{message.conversation_id}/call", {"operator_address": "101"}, 201)
    assert action["kind"] == "action_call"
    event = await requested(office)
    assert (event.channel_id, event.to, event.operator_address) == (
        LINE, (e.Address("phone", "+4915112345678"),), "101"
    )  # fmt: skip


async def test_a_call_without_a_line_or_a_number_is_refused(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path = f"/conversations/{message.conversation_id}/call"
    assert (await office.post(path, {}, 422))["code"] == "no_number"
    assert (await office.post(path, {"to": "+49151"}, 422))["code"] == "which_line"
    assert (await office.post(path, {"to": "+49151", "channel_id": str(LINE)}, 422))["code"] == "no_telephone"
    await office.post(path, {"to": "+49151", "channel_id": str(LINE), "operator_address": "101"}, 201)


async def test_an_answer_names_the_message_that_was_picked(office: Office) -> None:
    first = inbound(external_id="<first@x>", known_as=("<first@x>",))
    (message, _) = await office.receive(first, inbound(external_id="<2@x>", refers_to=("<first@x>",)))
    path = f"/conversations/{message.conversation_id}/replies"
    shown = await office.post(path, {"text": "Hi", "answers": str(message.message_id)}, 201)
    assert shown["answers"] == str(message.message_id)
    event = await requested(office)
    assert (event.answers, event.target, event.in_reply_to) == (message.message_id, "<first@x>", "<first@x>")
    reply = await office.post(path, {"text": "Hi"}, 201)
    assert "answers" not in reply
    event = await requested(office)
    assert (event.target, event.in_reply_to) == ("", "<2@x>")
    await office.post(path, {"text": "Hi", "answers": str(uuid4())}, 404)
    assert (await office.post(path, {"text": "Hi", "answers": reply["id"]}, 422))["code"] == "not_sent"
