"""Ids of other things: whatever is asked of them, it is as of an id that nothing has, and nobody's history changes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from shared.domain.events import MessageReceived
from tests.examples import inbound
from tests.services.inbox_api.office import Office

DUE = "2026-12-01T09:00:00Z"
ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("notes", {"text": "x"}),
    ("replies", {"text": "x"}),
    ("assign", {"operator_id": None}),
    ("snooze", {"until": DUE}),
    ("close", {}),
    ("reopen", {}),
    ("tags", {"add": ["x"]}),
    ("unmerge", {}),
)


async def step_of(office: Office, message: MessageReceived, **more: str) -> str:
    body = {"customer_id": str(message.customer_id), "what": "call", "due_at": DUE, **more}
    return str((await office.post("/steps", body, 201))["id"])


async def log(office: Office) -> Any:
    return (await office.get("/events", after=0))["items"]


@pytest.mark.parametrize("what", ["customer", "step"])
async def test_what_is_no_conversation_is_found_by_nothing_that_is_asked_of_conversations(
    office: Office, what: str
) -> None:
    (message,) = await office.receive(inbound())
    id_ = await step_of(office, message) if what == "step" else str(message.customer_id)
    before = await log(office)
    for path, body in ASKED:
        await office.post(f"/conversations/{id_}/{path}", body, 404)
    here = f"/conversations/{message.conversation_id}"
    await office.post(f"{here}/merge", {"into": id_}, 404)
    await office.post(f"{here}/messages/{message.message_id}/move", {"to": id_}, 404)
    await office.post(f"/conversations/{id_}/merge", {"into": str(message.conversation_id)}, 404)
    for query in ("", "/merged", "/messages", "?as_of=2999-01-01", "?as_of=2999-01-01&by=happened"):
        assert (await office.client.get(f"/api/v1/conversations/{id_}{query}")).status_code == 404
    assert await log(office) == before


async def test_what_is_no_step_and_what_is_in_no_quarantine(office: Office) -> None:
    (message,) = await office.receive(inbound())
    for id_ in (message.customer_id, message.conversation_id):
        await office.post(f"/steps/{id_}/done", {}, 404)
        await office.post(f"/steps/{id_}/postpone", {"due_at": DUE}, 404)
        await office.post(f"/quarantine/{id_}/retry", {}, 404)


async def test_a_step_and_an_import_take_no_id_that_another_thing_has(office: Office) -> None:
    (message,) = await office.receive(inbound())
    before = await log(office)
    for id_ in (message.customer_id, message.conversation_id):
        body = {"id": str(id_), "customer_id": str(message.customer_id), "what": "call", "due_at": DUE}
        assert (await office.post("/steps", body, 422))["code"] == "id_taken"
        assert (await import_under(office, id_)) == (422, "id_taken")
    assert await log(office) == before
    await office.post(f"/conversations/{message.conversation_id}/close")


async def import_under(office: Office, id_: UUID) -> tuple[int, str]:
    token = await office.token_of(f"boss-{id_}@okno.example", "admin")
    answer = await office.client.post(
        "/api/v1/customers/import",
        params={"dry_run": "false", "id": str(id_)},
        content=b"email,name\nben@example.com,Ben\n",
        headers={"Authorization": f"Bearer {token}"},
    )
    return answer.status_code, answer.json().get("code", "")


async def test_a_note_or_reply_under_an_id_that_something_else_has_is_refused_not_lost(office: Office) -> None:
    (message, other) = await office.receive(inbound(), inbound(sender="ben@example.com"))
    here, there = (f"/conversations/{each.conversation_id}" for each in (message, other))
    note, reply = {"id": "11111111-1111-4111-8111-111111111111"}, {"id": "22222222-2222-4222-8222-222222222222"}
    first = await office.post(f"{here}/notes", {**note, "text": "ours"}, 201)
    said = await office.post(f"{here}/replies", {**reply, "text": "hello"}, 201)
    before = await log(office)
    assert await office.post(f"{here}/notes", {**note, "text": "ours"}, 201) == first
    assert (await office.post(f"{here}/replies", {**reply, "text": "hello"}, 201))["id"] == said["id"]
    for path, body in (
        (f"{here}/replies", note), (f"{here}/notes", reply), (f"{there}/notes", note), (f"{there}/replies", reply),
        (f"{here}/notes", {"id": str(message.message_id)}), (f"{there}/replies", {"id": str(message.message_id)}),
    ):  # fmt: skip
        assert (await office.post(path, {**body, "text": "x"}, 422))["code"] == "id_taken"
    assert await log(office) == before


async def test_other_words_under_an_id_that_was_used_are_refused_not_lost(office: Office) -> None:
    (message,) = await office.receive(inbound())
    here = f"/conversations/{message.conversation_id}"
    note, reply = {"id": "11111111-1111-4111-8111-111111111111"}, {"id": "22222222-2222-4222-8222-222222222222"}
    react = {"id": "33333333-3333-4333-8333-333333333333", "reaction": "\N{THUMBS UP SIGN}"}
    await office.post(f"{here}/notes", {**note, "text": "ours"}, 201)
    said = {**reply, "text": "hello", "to": ["anna@example.com"], "cc": ["ben@example.com"]}
    await office.post(f"{here}/replies", said, 201)
    path = f"{here}/messages/{message.message_id}/react"
    await office.post(path, react, 201)
    before = await log(office)
    for again in (("notes", {**note, "text": "ours"}), ("replies", said)):
        await office.post(f"{here}/{again[0]}", again[1], 201)
    await office.post(path, react, 201)
    for other in ({"text": "goodbye"}, {"to": ["cleo@example.com"]}, {"cc": []}, {"bcc": ["cleo@example.com"]}):
        assert (await office.post(f"{here}/replies", {**said, **other}, 422))["code"] == "id_taken"
    assert (await office.post(f"{here}/notes", {**note, "text": "theirs"}, 422))["code"] == "id_taken"
    assert (await office.post(f"{here}/replies", {**said, "id": react["id"]}, 422))["code"] == "id_taken"
    assert (await office.post(path, {**react, "reaction": "\N{HEAVY BLACK HEART}"}, 422))["code"] == "id_taken"
    assert await log(office) == before
