"""Who may do what: tokens, cookies, the one-time link, analysts; and how a refusal looks."""

from __future__ import annotations

import asyncio
import json
import re
from uuid import UUID, uuid4

import httpx
import pytest

from services.inbox_api import operators
from services.inbox_api.routes import OPEN, SIGNED_IN
from shared.clock import now, to_text
from shared.registry.operators import MOST_WAITING
from tests.examples import inbound
from tests.services.inbox_api.office import PASSWORD, Office

UNAUTHORIZED = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "detail": "sign in, or send Authorization: Bearer TOKEN",
}


def problem(answer: httpx.Response) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert body["status"] == answer.status_code
    return body


@pytest.mark.parametrize("address", SIGNED_IN, ids=lambda address: f"{address.method} {address.path}")
async def test_nothing_is_told_to_a_stranger(office: Office, address: object) -> None:
    path = address.path.format(id=uuid4(), message_id=uuid4(), sha256="ab" * 32, position=1)  # type: ignore[attr-defined]
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic b2s="}, {"X-Okno": "1"}):
        method = address.method  # type: ignore[attr-defined]
        answer = await office.browser.request(method, f"/api/v1{path}", headers=headers)
        assert (problem(answer), answer.headers["www-authenticate"]) == (UNAUTHORIZED, "Bearer")


async def signed_in(office: Office) -> None:
    token = await office.operators.create_token(office.olga.id, "setup")
    body = {"token": token, "email": "Olga@okno.example", "name": "Ольга", "password": PASSWORD}
    answer = await office.browser.post("/api/v1/setup", json=body)
    assert answer.status_code == 201, answer.text


async def test_the_setup_link_works_once_and_signs_in(office: Office) -> None:
    token = await office.operators.create_token(office.olga.id, "setup")
    body = {"token": token, "email": "Boss@okno.example", "name": "Ольга", "password": PASSWORD}
    short = await office.browser.post("/api/v1/setup", json={**body, "password": "short"})
    first = await office.browser.post("/api/v1/setup", json=body)
    again = await office.browser.post("/api/v1/setup", json=body)
    expected = {"id": str(office.olga.id), "email": "boss@okno.example", "name": "Ольга", "role": "operator"}
    assert problem(short)["detail"] == "the password needs at least 8 characters"
    assert (first.status_code, first.json()) == (201, {**expected, "language": None})
    assert problem(again)["detail"] == "this link was used, has expired or there is a newer one: ask for a new one"
    assert (await office.browser.get("/api/v1/session")).json() == first.json()
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


async def test_a_new_password_signs_out_who_came_in_with_the_one_before(office: Office) -> None:
    await signed_in(office)
    before = dict(office.browser.cookies)
    await signed_in(office)
    assert (await office.browser.get("/api/v1/session")).status_code == 200
    office.browser.cookies.update(before)
    assert (await office.browser.get("/api/v1/session")).status_code == 401
    assert (await office.client.get("/api/v1/session")).status_code == 200  # a token is nobody's password


async def test_signing_in_and_out(office: Office) -> None:
    await signed_in(office)
    office.browser.cookies.clear()
    wrong = await office.browser.post("/api/v1/session", json={"email": "olga@okno.example", "password": "wrong!!!"})
    nobody = await office.browser.post("/api/v1/session", json={"email": "x@okno.example", "password": PASSWORD})
    right = await office.browser.post("/api/v1/session", json={"email": " OLGA@okno.example", "password": PASSWORD})
    assert problem(wrong) == problem(nobody)
    assert (wrong.status_code, right.status_code, right.json()["name"]) == (401, 200, "Ольга")
    cookie = dict(office.browser.cookies)
    gone = await office.browser.delete("/api/v1/session", headers={"X-Okno": "1"})
    assert gone.status_code == 204
    for cookies in ({}, cookie):
        office.browser.cookies.update(cookies)
        assert (await office.browser.get("/api/v1/session")).status_code == 401


async def test_no_page_of_another_site_signs_anybody_in(office: Office) -> None:
    await signed_in(office)
    right = {"email": "olga@okno.example", "password": PASSWORD}
    for site, status in (("cross-site", 403), ("same-origin", 200), ("none", 200)):
        answer = await office.browser.post("/api/v1/session", json=right, headers={"Sec-Fetch-Site": site})
        assert (answer.status_code, "set-cookie" in answer.headers) == (status, status == 200)
    foreign = await office.browser.post("/api/v1/setup", json={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403


async def test_a_flood_of_wrong_passwords_keeps_nobody_else_waiting(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators, "WRONG_PASSWORD_SECONDS", 0)
    wrong = {"email": "olga@okno.example", "password": "wrong!!!"}
    flood = [asyncio.create_task(office.browser.post("/api/v1/session", json=wrong)) for _ in range(100)]
    await asyncio.sleep(0.05)
    await office.get("/session")
    assert sum(not each.done() for each in flood) >= MOST_WAITING // 2  # whoever reads does not come after them
    answers = await asyncio.gather(*flood)
    refused = [answer for answer in answers if answer.status_code != 401]
    assert {problem(answer)["detail"] for answer in refused} == {"too many are signing in at this moment"}
    assert {answer.headers["retry-after"] for answer in refused} == {"2"}
    assert len(answers) - len(refused) >= MOST_WAITING


async def test_a_change_with_the_cookie_needs_the_guard_header(office: Office) -> None:
    (message,) = await office.receive(inbound())
    await signed_in(office)
    path = f"/api/v1/conversations/{message.conversation_id}/close"
    refused = await office.browser.post(path, json={})
    assert problem(refused)["detail"] == "a change made with the session cookie needs the header x-okno: 1"
    assert (await office.get(f"/conversations/{message.conversation_id}"))["status"] == "open"
    assert (await office.browser.post(path, json={}, headers={"X-Okno": "1"})).status_code == 200


async def test_tokens_are_good_for_their_own_purpose_only(office: Office) -> None:
    for purpose in ("session", "setup"):
        token = await office.operators.create_token(office.olga.id, purpose)  # type: ignore[arg-type]
        answer = await office.browser.get("/api/v1/session", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
    api = await office.operators.create_token(office.olga.id, "api")
    office.browser.cookies.set("okno_session", api)
    assert (await office.browser.get("/api/v1/session")).status_code == 401


async def test_an_expired_session_and_link_are_refused(office: Office) -> None:
    await signed_in(office)
    link = await office.operators.create_token(office.olga.id, "setup")
    await office.database.write(
        lambda tx: tx.run("UPDATE operator_tokens SET expires_at = ? WHERE purpose <> 'api'", (to_text(now()),))
    )
    assert (await office.browser.get("/api/v1/session")).status_code == 401
    body = {"token": link, "email": "a@b.example", "name": "", "password": PASSWORD}
    assert (await office.browser.post("/api/v1/setup", json=body)).status_code == 422
    assert (await office.client.get("/api/v1/session")).status_code == 200


async def test_analysts_read_and_do_not_write(office: Office) -> None:
    (message,) = await office.receive(inbound())
    headers = {"Authorization": f"Bearer {await office.token_of('ann@okno.example', 'analyst')}"}
    path = f"/api/v1/conversations/{message.conversation_id}"
    assert (await office.browser.get(path, headers=headers)).status_code == 200
    for action in ("replies", "notes", "close", "tags", "assign", "snooze", "reopen"):
        answer = await office.browser.post(f"{path}/{action}", json={"text": "x"}, headers=headers)
        assert problem(answer)["detail"] == "analysts read, operators answer"
    assert (await office.get("/events"))["next"] is None
    assert len((await office.get("/events"))["items"]) == 3


async def test_an_analyst_can_sign_out(office: Office) -> None:
    operator = await office.operators.add("ann@okno.example", "analyst")
    token = await office.operators.create_token(operator.id, "session")
    office.browser.cookies.set("okno_session", token)
    answer = await office.browser.delete("/api/v1/session", headers={"X-Okno": "1"})
    assert answer.status_code == 204


# --- bad input --------------------------------------------------------------------------------------------

CONVERSATION = f"/conversations/{UUID(int=404)}"  # a fixed one: every process collects the same tests
DEEP = b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
BAD = {
    "unknown path": ("GET", "/nothing", None, 404),
    "no path at all": ("GET", "", None, 404),
    "unknown path posted to": ("POST", "/nothing", b"{}", 404),
    "no uuid": ("GET", "/conversations/1", None, 404),
    "unknown conversation": ("GET", CONVERSATION, None, 404),
    "messages of an unknown conversation": ("GET", f"{CONVERSATION}/messages", None, 404),
    "unknown customer": ("GET", f"/customers/{uuid4()}", None, 404),
    "timeline of an unknown customer": ("GET", f"/customers/{uuid4()}/timeline", None, 404),
    "past of an unknown customer": ("GET", f"/customers/{uuid4()}/timeline?as_of=2026-11-21", None, 404),
    "command to an unknown conversation": ("POST", f"{CONVERSATION}/close", b"{}", 404),
    "unknown reply": ("POST", f"{CONVERSATION}/messages/{uuid4()}/retry", b"{}", 404),
    "unknown quarantined item": ("POST", f"/quarantine/{uuid4()}/retry", b"{}", 404),
    "unknown attachment": ("GET", f"/attachments/{uuid4()}", None, 404),
    "unknown raw item": ("GET", "/raw/77", None, 404),
    "no position of a raw item": ("GET", f"/raw/{'9' * 5000}", None, 404),
    "a path for a hash": ("GET", "/raw/..%2F..%2Fsecret.key", None, 404),
    "bad cursor": ("GET", "/conversations?cursor=x", None, 422),
    "negative cursor": ("GET", "/conversations?cursor=-1", None, 422),
    "cursor beyond 64 bits": ("GET", f"/conversations?cursor={2**64}", None, 422),
    "endless cursor": ("GET", f"/conversations?cursor={'9' * 5000}", None, 422),
    "no limit": ("GET", "/customers?limit=0", None, 422),
    "great limit": ("GET", "/customers?limit=501", None, 422),
    "arabic digits": ("GET", "/customers?limit=%D9%A3", None, 422),
    "bad status": ("GET", "/conversations?status=new", None, 422),
    "bad customer": ("GET", "/conversations?customer_id=1", None, 422),
    "bad order": ("GET", f"{CONVERSATION}/messages?order=up", None, 422),
    "bad time": ("GET", f"/customers/{uuid4()}/timeline?as_of=yesterday", None, 422),
    "bad event position": ("GET", "/events?after=x", None, 422),
    "bad stream position": ("GET", "/stream?after=x", None, 422),
    "endless stream position": ("GET", f"/stream?after={'9' * 5000}", None, 422),
    "broken json": ("POST", f"{CONVERSATION}/notes", b"{", 400),
    "no unicode": ("POST", f"{CONVERSATION}/notes", b'{"text":"\xff"}', 400),
    "half a surrogate": ("POST", f"{CONVERSATION}/notes", b'{"text":"\\ud800"}', 400),
    "endless nesting": ("POST", f"{CONVERSATION}/notes", DEEP, 400),
    "endless nesting signed out": ("POST", "/session", DEEP, 400),
    "no unicode signed out": ("POST", "/session", b"\xff", 400),
    "no object": ("POST", f"{CONVERSATION}/notes", b"[]", 422),
    "no text": ("POST", f"{CONVERSATION}/notes", b"{}", 422),
    "bad id": ("POST", f"{CONVERSATION}/replies", b'{"text":"x","id":"1"}', 422),
    "text is a number": ("POST", f"{CONVERSATION}/replies", b'{"text":1}', 422),
    "time without zone": ("POST", f"{CONVERSATION}/snooze", b'{"until":"2026-11-21T12:00:00"}', 422),
    "no operator": ("POST", f"{CONVERSATION}/assign", b'{"operator_id":"%b"}' % str(uuid4()).encode(), 422),
    "tags as text": ("POST", f"{CONVERSATION}/tags", b'{"add":"vip"}', 422),
    "tags under another name": ("POST", f"{CONVERSATION}/tags", b'{"tags":["vip"]}', 422),
    "over 1 MB": ("POST", f"{CONVERSATION}/notes", b'{"text":"' + b"x" * 1024 * 1024 + b'"}', 413),
    "over 1 MB signed out": ("POST", "/session", b" " * (1024 * 1024 + 1), 413),
    "wrong method": ("PUT", "/conversations", b"{}", 405),
    "wrong method of the document": ("POST", "/openapi.json", b"{}", 405),
}


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD.values(), ids=BAD)
async def test_bad_input_is_answered_with_a_problem(
    office: Office, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = await office.client.request(method, f"/api/v1{path}", content=body)
    assert problem(answer)["status"] == status


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/conversations", "GET, HEAD"),
        ("/session", "DELETE, GET, HEAD, POST"),
        (f"{CONVERSATION}/close", "POST"),
        ("/setup", "POST"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(office: Office, path: str, allowed: str) -> None:
    answer = await office.client.patch(f"/api/v1{path}", json={})
    assert (problem(answer)["status"], answer.headers["allow"]) == (405, allowed)


async def test_nothing_is_recorded_of_bad_input(office: Office) -> None:
    (message,) = await office.receive(inbound())
    before = await office.get("/events")
    path = f"/conversations/{message.conversation_id}"
    for action, body, code in (
        ("notes", {"text": " "}, "empty_text"),
        ("notes", {"text": "x" * 100_001}, "text_too_long"),
        ("replies", {"text": ""}, "empty_text"),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}, "time_has_passed"),
        ("tags", {"add": ["x" * 65]}, "bad_tag"),
        ("tags", {"add": [" "]}, "bad_tag"),
    ):
        assert (await office.post(f"{path}/{action}", body, 422))["code"] == code
    assert await office.get("/events") == before


async def test_the_document_lists_every_route(office: Office) -> None:
    document = (await office.browser.get("/api/v1/openapi.json")).json()
    listed = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert listed == {(address.method, address.path) for address in (*OPEN, *SIGNED_IN)}
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(set(ids)) == len(ids)
    assert document["openapi"] == "3.1.0"
    schemas = document["components"]["schemas"]
    references = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references == set(schemas)  # two shapes of one name would have other names there
    assert {"Text", "AssignTo", "SnoozeUntil", "Tags", "SetUp", "SignIn"} < references
