"""Erasing by the API: admins only, confirmed, refused while held."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from tests.examples import MAILBOX, inbound
from tests.services.inbox_api.office import Office


async def admin_of(office: Office) -> dict[str, str]:
    return {"Authorization": f"Bearer {await office.token_of('boss@okno.example', 'admin')}"}


async def post(office: Office, path: str, body: object, headers: dict[str, str] | None = None) -> httpx.Response:
    return await office.client.post(f"/api/v1{path}", json=body, headers=headers)


async def test_an_admin_confirms_an_erasure_and_sees_how_far_it_is(office: Office) -> None:
    (message,) = await office.receive(inbound())
    path, headers = f"/customers/{message.customer_id}/erase", await admin_of(office)
    right = {"confirm": str(message.customer_id), "reason": "asked for it"}
    assert (await post(office, path, right)).status_code == 403
    wrong = await post(office, path, {**right, "confirm": str(uuid4())}, headers)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "not_confirmed")
    nobody = str(uuid4())
    assert (await post(office, f"/customers/{nobody}/erase", {"confirm": nobody}, headers)).status_code == 404
    asked = await post(office, path, right, headers)
    again = await post(office, path, right, headers)
    body = asked.json()
    assert (asked.status_code, body["state"], body["requested_by"]) == (202, "requested", "boss@okno.example")
    assert (again.json()["id"], body["subject_id"]) == (body["id"], str(message.customer_id))
    shown = await office.client.get(f"/api/v1/erasures/{body['id']}", headers=headers)
    listed = await office.client.get("/api/v1/erasures", headers=headers)
    assert (shown.json(), listed.json()["items"]) == (body, [body])
    assert (await office.client.get("/api/v1/erasures")).status_code == 403


@pytest.mark.parametrize("kind", ["customer", "channel"])
async def test_what_is_not_there_is_not_held(office: Office, kind: str) -> None:
    headers = await admin_of(office)
    answer = await post(office, "/holds", {"kind": kind, "subject_id": str(uuid4()), "reason": "court"}, headers)
    assert (answer.status_code, answer.json()["detail"]) == (404, f"there is no such {kind}: nothing would be held")


async def test_a_hold_is_in_the_way_until_it_is_released(office: Office) -> None:
    (message,) = await office.receive(inbound())
    customer, headers = str(message.customer_id), await admin_of(office)
    held = await post(office, "/holds", {"kind": "customer", "subject_id": customer, "reason": "court"}, headers)
    refused = await post(office, f"/customers/{customer}/erase", {"confirm": customer}, headers)
    assert (held.status_code, refused.status_code, refused.json()["code"]) == (201, 422, "held")
    assert "court" in refused.json()["detail"]
    released = [await post(office, f"/holds/{held.json()['id']}/release", {}, headers) for _ in range(2)]
    assert [answer.status_code for answer in released] == [204, 422]
    (shown,) = (await office.client.get("/api/v1/holds", headers=headers)).json()["items"]
    assert (shown["reason"], shown["released_by"]) == ("court", "boss@okno.example")
    assert (await post(office, f"/customers/{customer}/erase", {"confirm": customer}, headers)).status_code == 202


async def test_a_rule_is_set_for_a_channel_and_removed(office: Office) -> None:
    headers, path = await admin_of(office), f"/retention/{MAILBOX}"
    rule = (await post(office, path, {"days": 30}, headers)).json()["items"]
    assert [(each["channel_id"], each["days"], each["set_by"]) for each in rule] == [
        (str(MAILBOX), 30, "boss@okno.example")
    ]
    assert (await post(office, path, {"days": 0}, headers)).status_code == 422
    assert (await post(office, f"/retention/{uuid4()}", {"days": 3}, headers)).status_code == 404
    assert (await post(office, path, {"days": None}, headers)).json()["items"] == []
