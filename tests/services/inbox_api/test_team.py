"""The team over the API: admins invite, let in again, lock and change roles; everybody else only sees who is there."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from shared.registry.team import Team
from tests.examples import inbound
from tests.services.inbox_api.office import PASSWORD, Office

LOCKED = "this operator is locked: choose somebody else"


@pytest_asyncio.fixture
async def admin(office: Office) -> Office:
    office.client.headers["Authorization"] = f"Bearer {await office.token_of('boss@okno.example', 'admin')}"
    return office


async def refused(office: Office, method: str, path: str, body: object = None) -> tuple[int, str]:
    answer = await office.client.request(method, f"/api/v1{path}", json={} if body is None else body)
    return answer.status_code, answer.json().get("detail", "")


async def signs_in(office: Office, email: str) -> httpx.Response:
    return await office.browser.post("/api/v1/session", json={"email": email, "password": PASSWORD})


async def test_a_colleague_is_invited_signs_in_is_locked_and_let_in_again(admin: Office) -> None:
    invited = await admin.post("/operators", {"email": "Ann@okno.example", "name": "Ann", "role": "analyst"}, 201)
    setup = invited.pop("setup")
    assert (setup.partition("=")[0], invited) == (
        "/setup?token",
        {
            "id": invited["id"], "email": "ann@okno.example", "name": "Ann", "role": "analyst", "language": None,
            "access": "invited", "signed_in_at": None,
        },
    )  # fmt: skip
    body = {"token": setup.partition("=")[2], "email": "ann@okno.example", "password": PASSWORD}
    assert (await admin.browser.post("/api/v1/setup", json=body)).status_code == 201
    assert (await admin.browser.get("/api/v1/session")).status_code == 200
    (ann,) = [each for each in (await admin.get("/operators"))["items"] if each["id"] == invited["id"]]
    assert (ann["access"], ann["signed_in_at"] is None) == ("active", False)

    assert (await admin.post(f"/operators/{ann['id']}/lock"))["access"] == "locked"
    assert (await admin.browser.get("/api/v1/session")).status_code == 401
    assert (await signs_in(admin, ann["email"])).status_code == 401

    again = await admin.post(f"/operators/{ann['id']}/link", status=201)
    assert again["access"] == "invited"
    body["token"] = again["setup"].partition("=")[2]
    assert (await admin.browser.post("/api/v1/setup", json=body)).status_code == 201
    assert (await signs_in(admin, ann["email"])).status_code == 200


async def test_a_link_leads_to_where_browsers_reach_this_okno(admin: Office) -> None:
    object.__setattr__(admin.api.context, "public_url", "https://okno.example")
    invited = await admin.post("/operators", {"email": "ann@okno.example"}, 201)
    assert invited["setup"].startswith("https://okno.example/setup?token=")


async def test_a_role_is_another_from_the_next_request_on(admin: Office) -> None:
    token = await admin.operators.create_token(admin.olga.id, "api")
    headers = {"Authorization": f"Bearer {token}"}
    assert (await admin.browser.get("/api/v1/webhooks", headers=headers)).status_code == 403
    changed = await admin.client.patch(f"/api/v1/operators/{admin.olga.id}", json={"role": "admin"})
    assert (changed.status_code, changed.json()["role"]) == (200, "admin")
    assert (await admin.browser.get("/api/v1/webhooks", headers=headers)).status_code == 200


async def test_only_admins_see_to_the_team(office: Office) -> None:
    one = f"/operators/{office.olga.id}"
    for method, path in (("POST", "/operators"), ("PATCH", one), ("POST", f"{one}/link"), ("POST", f"{one}/lock")):
        assert await refused(office, method, path) == (403, "only admins do this")
    (olga,) = (await office.get("/operators"))["items"]
    assert olga == {
        "id": str(office.olga.id), "email": "olga@okno.example", "name": "Olga", "role": "operator", "language": None,
        "access": "active",
    }  # fmt: skip


@pytest.mark.parametrize("locks", [True, False])
async def test_who_waits_for_events_is_told_only_what_they_may_still_see(admin: Office, locks: bool) -> None:
    token = await admin.token_of("other@okno.example", "operator")
    other = await admin.operators.find("other@okno.example")
    await admin.receive(inbound())
    end = (await admin.get("/events"))["items"][-1]["position"]
    query, headers = {"after": end, "wait": 30}, {"Authorization": f"Bearer {token}"}
    waiting = asyncio.create_task(admin.browser.get("/api/v1/events", params=query, headers=headers))
    await asyncio.sleep(0.1)
    if locks:
        await Team(admin.database).lock(other.id)
    await admin.receive(inbound("for eyes of ours"))
    async with asyncio.timeout(20):
        answer = await waiting
    assert (answer.status_code, "for eyes of ours" in answer.text) == ((401, False) if locks else (200, True))


async def test_nobody_locks_themselves_or_changes_their_own_role(admin: Office) -> None:
    boss = await admin.operators.find("boss@okno.example")
    assert await refused(admin, "POST", f"/operators/{boss.id}/lock") == (
        422, "nobody locks themselves: another admin does it",
    )  # fmt: skip
    assert await refused(admin, "PATCH", f"/operators/{boss.id}", {"role": "analyst"}) == (
        422, "nobody changes their own role: another admin does it",
    )  # fmt: skip


async def test_the_last_admin_who_can_sign_in_stays_one(admin: Office) -> None:
    other = await admin.operators.add("other@okno.example", "admin")
    last = "this is the last admin who can sign in: nobody could let anybody in again"
    assert await refused(admin, "POST", f"/operators/{other.id}/lock") == (422, last)
    assert await refused(admin, "PATCH", f"/operators/{other.id}", {"role": "operator"}) == (422, last)


async def test_what_cannot_be_is_refused_with_words(admin: Office) -> None:
    status, words = await refused(admin, "POST", "/operators", {"email": "Olga@okno.example"})
    assert (status, words) == (422, "olga@okno.example is an operator already")
    assert (await refused(admin, "POST", "/operators", {"email": "olga"}))[0] == 422
    assert (await refused(admin, "POST", "/operators", {"email": "a@b", "role": "boss"}))[0] == 422
    for path in (f"/operators/{uuid4()}", "/operators/1"):
        assert (await refused(admin, "PATCH", path, {"role": "admin"}))[0] == 404
        for what in ("link", "lock"):
            assert (await refused(admin, "POST", f"{path}/{what}"))[0] == 404


async def theirs(office: Office, operator_id: str, conversation_id: str) -> None:
    """What a locked operator had is still theirs, and found."""
    found = await office.get("/conversations", assignee_id=operator_id)
    assert [(each["id"], each["assignee"]["id"]) for each in found["items"]] == [(conversation_id, operator_id)]
    assert (await office.get("/conversations", assignee_id=operator_id, status="snoozed"))["items"] == []
    assert (await office.get("/conversations", assignee_id=str(uuid4())))["items"] == []
    past = f"/conversations?assignee_id={operator_id}&as_of=2026-11-21T12:00:00Z"
    assert await refused(office, "GET", past) == (422, "assignee_id must be asked without as_of")


@pytest.mark.parametrize("what", ["conversation", "step", "card"])
async def test_nothing_is_given_to_an_operator_who_is_locked(admin: Office, what: str) -> None:
    (message,) = await admin.receive(inbound())
    ann = await admin.operators.add("ann@okno.example", "operator", "Ann")
    await admin.operators.create_token(ann.id, "setup")
    asked = {
        "conversation": ("POST", f"/conversations/{message.conversation_id}/assign", {"operator_id": str(ann.id)}),
        "step": (
            "POST", "/steps",
            {
                "customer_id": str(message.customer_id), "what": "call", "due_at": "2027-01-01T00:00:00Z",
                "operator_id": str(ann.id),
            },
        ),
        "card": (
            "PATCH", f"/customers/{message.customer_id}/card",
            {"changes": [{"field": "operator", "after": "ANN@okno.example"}]},
        ),
    }[what]  # fmt: skip
    assert (await refused(admin, *asked))[0] in (200, 201)
    await Team(admin.database).lock(ann.id)
    assert await refused(admin, *asked) == (422, LOCKED)
    if what == "conversation":
        await theirs(admin, str(ann.id), str(message.conversation_id))
    assert {each["access"] for each in (await admin.get("/operators"))["items"]} == {"active", "locked"}
