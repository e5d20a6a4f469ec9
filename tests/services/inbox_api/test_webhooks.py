"""Webhooks over the API: for admins, with the secret once; wrong ones are refused with words."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from shared.registry.subscriptions import Delivery
from tests.examples import inbound
from tests.services.inbox_api.office import Office

URL = "https://partner.example/okno"


@pytest_asyncio.fixture
async def admin(office: Office) -> Office:
    token = await office.token_of("boss@okno.example", "admin")
    office.client.headers["Authorization"] = f"Bearer {token}"
    return office


async def test_a_webhook_is_added_listed_paused_resumed_rewound_and_removed(admin: Office) -> None:
    await admin.receive(inbound("one"), inbound("two"))
    added = await admin.post("/webhooks", {"url": URL, "types": ["MessageReceived"]}, 201)
    assert added.pop("secret").startswith("whsec_")
    path = f"/webhooks/{added['id']}"
    expected = {
        "id": added["id"], "url": URL, "types": ["MessageReceived"], "state": "active", "reason": None, "position": 5,
        "behind": 0, "tries": 0, "failing_since": None, "next_try_at": None, "created_at": added["created_at"],
    }  # fmt: skip
    assert added == expected
    assert await admin.get("/webhooks") == {"items": [expected], "next": None}
    assert (await admin.post(f"{path}/pause"))["state"] == "paused"
    assert (await admin.post(f"{path}/resume"))["state"] == "active"
    assert await admin.post(f"{path}/rewind", {"position": 2}) == {**expected, "position": 2, "behind": 3}
    assert (await admin.client.delete(f"/api/v1{path}")).status_code == 204
    assert await admin.get("/webhooks") == {"items": [], "next": None}
    for wrong in (path, f"{path}/pause", f"{path}/deliveries"):
        method = "DELETE" if wrong == path else "GET" if wrong.endswith("s") else "POST"
        assert (await admin.client.request(method, f"/api/v1{wrong}", json={})).status_code == 404


async def test_the_same_webhook_once_more_is_refused_with_the_id_of_the_first(admin: Office) -> None:
    added = await admin.post("/webhooks", {"url": URL, "types": ["MessageReceived", "NoteAdded"]}, 201)
    refused = await admin.post("/webhooks", {"url": URL, "types": ["NoteAdded", "MessageReceived"]}, 409)
    assert f"webhook {added['id']} (active) sends the same" in refused["detail"]
    other = await admin.post("/webhooks", {"url": URL, "types": ["NoteAdded"]}, 201)
    assert [one["id"] for one in (await admin.get("/webhooks"))["items"]] == [added["id"], other["id"]]


async def test_what_was_tried_is_paged_the_last_first(admin: Office) -> None:
    added = await admin.post("/webhooks", {"url": URL, "after": 0}, 201)
    subscriptions = admin.api.context.subscriptions
    (subscription,) = await subscriptions.all()
    tried = Delivery(
        "msg_1", "2026-11-21T12:00:00.000000Z", 1, 3, 3, 1, 500, 12, "<b>no</b>", "the partner answered 500"
    )
    for attempt in (1, 2, 3):
        await subscriptions.confirm(subscription, dataclasses.replace(tried, attempt=attempt))
    first = await admin.get(f"/webhooks/{added['id']}/deliveries", limit=2)
    rest = await admin.get(f"/webhooks/{added['id']}/deliveries", limit=2, cursor=first["next"])
    assert [one["attempt"] for one in first["items"] + rest["items"]] == [3, 2, 1]
    assert (first["next"], rest["next"]) == ("2", None)
    assert rest["items"] == [{"number": 1, **dataclasses.asdict(tried)}]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"url": "http://partner.example/"}, "http:// can be read on the way"),
        ({"url": "https://169.254.169.254/latest"}, "inside a private network"),
        ({"url": "partner.example"}, "https://HOST/"),
        ({"url": URL, "types": ["Nonsense"]}, "no event 'Nonsense'"),
        ({"url": URL, "after": 99}, "positions up to 0"),
        ({"url": URL, "after": -1}, "positions up to 0"),
        ({"url": 7}, "Expected `str`"),
    ],
)
async def test_what_cannot_be_a_webhook_is_refused(admin: Office, body: Any, why: str) -> None:
    answer = await admin.client.post("/api/v1/webhooks", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert why in answer.json()["detail"]
    assert (await admin.get("/webhooks"))["items"] == []


async def test_a_rewind_stays_within_the_log(admin: Office) -> None:
    added = await admin.post("/webhooks", {"url": URL}, 201)
    assert "positions up to 0" in (await admin.post(f"/webhooks/{added['id']}/rewind", {"position": 1}, 422))["detail"]


async def test_a_network_that_is_named_may_be_inside(admin: Office) -> None:
    admin.api.context.subscriptions.networks = (ip_network("10.0.0.0/8"),)
    await admin.post("/webhooks", {"url": "http://10.1.2.3/okno"}, 201)


async def test_only_an_admin_sees_or_changes_webhooks(office: Office) -> None:
    path = f"/api/v1/webhooks/{uuid4()}"
    for method, where in (
        ("GET", "/api/v1/webhooks"), ("POST", "/api/v1/webhooks"), ("DELETE", path), ("POST", f"{path}/pause"),
        ("POST", f"{path}/resume"), ("POST", f"{path}/rewind"), ("GET", f"{path}/deliveries"),
    ):  # fmt: skip
        answer = await office.client.request(method, where, json={"url": URL})
        assert (answer.status_code, answer.json()["detail"]) == (403, "webhooks are an admin's business")
