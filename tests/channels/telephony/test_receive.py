"""Webhooks over HTTP: kept before they are confirmed, answered as each provider wants, refused with nothing kept."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from shared.channels.telephony.webhook import Webhook
from shared.connector import Channel
from tests.channels.telephony.flows import (
    MANGO,
    TWILIO,
    UIS,
    ZADARMA,
    mango_flow,
    mango_webhook,
    twilio_webhook,
    uis_flow,
    uis_webhook,
    zadarma_flow,
)
from tests.channels.telephony.phone import ADDRESS, Phone, channel

TOKEN = UIS.settings["token"]
CALL = {"AccountSid": TWILIO.settings["account_sid"], "CallSid": "CA1", "From": "+79161234567", "To": "+74951234567"}
RINGING = {**CALL, "Direction": "inbound", "CallStatus": "ringing"}
INTERNAL = {"call_id": "1", "entry_id": "e", "call_state": "Appeared", "seq": 1, "timestamp": 1398956978}
INTERNAL |= {"from": {"extension": "101"}, "to": {"extension": "102"}}  # type: ignore[dict-item]


async def posted(phone: Phone, webhook: Webhook) -> int:
    address = ADDRESS + (f"/{webhook.event}" if webhook.event else "") + (f"?{webhook.query}" if webhook.query else "")
    return (await phone.ask("POST", address, webhook.body, webhook.headers)).status_code


async def test_every_webhook_of_mango_is_kept_at_its_address() -> None:
    phone, flow = Phone(MANGO), mango_flow()
    assert {await posted(phone, webhook) for webhook in flow.webhooks} == {200}
    assert [item.data for item in phone.items] == [webhook.body for webhook in flow.webhooks]
    assert [item.context["event"] for item in phone.items] == [webhook.event for webhook in flow.webhooks]
    assert len(phone.heard) == len(flow.webhooks)


async def test_what_is_no_clients_call_is_confirmed_to_mango_and_not_kept() -> None:
    phone = Phone(MANGO)
    assert await posted(phone, mango_webhook(INTERNAL, "events/call")) == 200
    assert await posted(phone, mango_webhook({"entry_id": "e", "call_direction": 0}, "events/summary")) == 200
    assert await posted(phone, mango_webhook({"dtmf": "5"}, "events/dtmf")) == 200
    assert phone.items == []
    assert await posted(phone, replace(mango_webhook(INTERNAL, "events/dtmf"), body=b"vpbx_api_key=1")) == 401


async def test_a_webhook_of_twilio_is_signed_for_the_address_it_is_posted_to() -> None:
    phone = Phone(TWILIO, base="http://okno.test:8000")
    for url in ("http://okno.test:8000", "https://okno.test:8000", "https://okno.test"):
        assert await posted(phone, twilio_webhook(RINGING, url + ADDRESS)) == 200
    assert await posted(phone, twilio_webhook(RINGING, "https://other.test" + ADDRESS)) == 401
    assert len(phone.items) == 3


async def test_behind_a_proxy_the_public_address_is_what_twilio_signs() -> None:
    public = Channel(TWILIO.id, "telephony", "", {**TWILIO.settings, "public_url": "https://okno.example/desk/"})
    phone = Phone(public, base="http://10.0.0.7:8000")
    assert await posted(phone, twilio_webhook(RINGING, f"https://okno.example/desk{ADDRESS}")) == 200
    assert await posted(phone, twilio_webhook(RINGING, f"http://10.0.0.7:8000{ADDRESS}")) == 401


async def test_the_public_address_of_the_process_is_one_that_twilio_may_sign() -> None:
    phone = Phone(TWILIO, base="http://10.0.0.7:8000", public="https://okno.example")
    assert await posted(phone, twilio_webhook(RINGING, f"https://okno.example{ADDRESS}")) == 200
    assert await posted(phone, twilio_webhook(RINGING, f"http://10.0.0.7:8000{ADDRESS}")) == 200
    assert await posted(phone, twilio_webhook(RINGING, f"https://other.example{ADDRESS}")) == 401


async def test_twilio_is_answered_in_twiml() -> None:
    phone = Phone(TWILIO)
    webhook = twilio_webhook(RINGING, f"http://okno.test{ADDRESS}")
    answer = await phone.post(webhook.body, webhook.headers)
    assert answer.headers["content-type"].startswith("text/xml")
    assert answer.text == '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


async def test_a_json_body_that_twilio_signed_is_kept_and_answered() -> None:
    body = b'{"CallSid": "CA1"}'
    url = f"http://okno.test{ADDRESS}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    webhook = twilio_webhook({}, url)
    phone = Phone(TWILIO)
    headers = {**webhook.headers, "content-type": "application/json"}
    assert await posted(phone, replace(webhook, body=body, headers=headers)) == 200
    assert [item.media_type for item in phone.items] == ["application/json"]


@pytest.mark.parametrize("host", ["[", "[::1", "a b", "\xff"])
async def test_a_host_that_is_none_is_not_authentic(host: str) -> None:
    phone, webhook = Phone(TWILIO), twilio_webhook(RINGING, f"http://okno.test{ADDRESS}")
    headers = {name: value.encode("latin-1") for name, value in {**webhook.headers, "host": host}.items()}
    assert (await phone.post(webhook.body, headers)).status_code == 401  # type: ignore[arg-type]
    assert phone.items == []


async def test_an_incoming_call_is_put_through_where_the_channel_says_so() -> None:
    settings = {**TWILIO.settings, "forward_to": "+79990000001, +79990000002", "public_url": "https://okno.example"}
    phone, url = Phone(Channel(TWILIO.id, "telephony", "", settings)), f"https://okno.example{ADDRESS}"
    webhook = twilio_webhook(RINGING, url)
    answer = (await phone.post(webhook.body, webhook.headers)).text
    assert answer.count("<Number ") == 2
    assert f'action="{url}?step=dialled"' in answer
    status = {**RINGING, "CallStatus": "completed", "CallDuration": "20", "CallbackSource": "call-progress-events"}
    dialled = {**RINGING, "CallStatus": "in-progress", "DialCallStatus": "no-answer"}
    assert await posted(phone, twilio_webhook(status, url)) == 200
    assert await posted(phone, twilio_webhook(dialled, f"{url}?step=dialled")) == 200
    assert [parsed.call and parsed.call.state for parsed in phone.heard] == ["ringing", "ringing", "missed"]


async def test_a_telephone_that_a_call_rings_is_a_leg_of_it() -> None:
    phone, url = Phone(TWILIO), f"http://okno.test{ADDRESS}"
    child = {**CALL, "CallSid": "CA2", "ParentCallSid": "CA1", "Direction": "outbound-dial", "To": "+79990000001"}
    assert (
        await posted(phone, twilio_webhook({**child, "CallStatus": "in-progress", "SequenceNumber": "2"}, url)) == 200
    )
    (parsed,) = phone.heard
    assert parsed.external_id == "CA1"
    assert parsed.call is not None
    assert [(leg.id, leg.to, leg.state, leg.sequence) for leg in parsed.call.legs] == [
        ("CA2", "+79990000001", "answered", 2)
    ]


async def test_the_clients_leg_of_a_call_we_started_is_the_call() -> None:
    phone, url = Phone(TWILIO), f"http://okno.test{ADDRESS}?step=our-call"
    child = {**CALL, "CallSid": "CA2", "ParentCallSid": "CA1", "From": "+74951234567", "To": "+79161234567"}
    child |= {"Direction": "outbound-dial", "CallStatus": "no-answer"}
    assert await posted(phone, twilio_webhook(child, url)) == 200
    (parsed,) = phone.heard
    assert (parsed.external_id, parsed.direction, parsed.sender.address) == ("CA1", "outbound", "+79161234567")
    assert parsed.call is not None
    assert parsed.call.state == "failed"


async def test_every_notification_of_zadarma_and_of_uis_is_kept() -> None:
    for flow in (zadarma_flow(), uis_flow()):
        phone = Phone(flow.channel)
        assert {await posted(phone, webhook) for webhook in flow.webhooks} == {200}
        assert len(phone.heard) == len(flow.webhooks)


@pytest.mark.parametrize("echo", ["a1b2c3", "привет", "<script>alert(1)</script>", "x" * 200])
async def test_zadarma_is_told_what_it_says(echo: str) -> None:
    phone = Phone(ZADARMA)
    answer = await phone.ask("GET", f"{ADDRESS}?zd_echo={echo}")
    assert (answer.status_code, answer.text, phone.items) == (200, echo, [])
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("query", ["", "?zd_echo=", "?other=1", "?zd_echo=" + "x" * 201])
async def test_a_get_that_is_no_echo_is_refused(query: str) -> None:
    assert (await Phone(ZADARMA).ask("GET", ADDRESS + query)).status_code == 405


async def test_only_zadarma_asks_with_get() -> None:
    for other in (TWILIO, MANGO, UIS, channel("generic", secret="whsec_" + "A" * 32)):
        assert (await Phone(other).ask("GET", f"{ADDRESS}?zd_echo=1")).status_code == 405


async def test_only_mango_posts_below_the_channels_address() -> None:
    webhook = uis_webhook({"notification_name": "Lost call", "call_session_id": 1})
    phone = Phone(UIS)
    answer = await phone.ask("POST", f"{ADDRESS}/events/call?token={TOKEN}", webhook.body, webhook.headers)
    assert (answer.status_code, phone.items) == (404, [])


async def test_an_address_without_the_token_keeps_nothing() -> None:
    phone, webhook = Phone(UIS), uis_webhook({"notification_name": "Lost call", "call_session_id": 1})
    for query in ("", "?token=", f"?token={TOKEN}x", f"?tokem={TOKEN}"):
        assert (await phone.ask("POST", ADDRESS + query, webhook.body, webhook.headers)).status_code == 401
    assert phone.items == []


@pytest.mark.parametrize("flow", [mango_flow, zadarma_flow, uis_flow])
async def test_what_could_not_be_made_durable_is_not_confirmed(flow: object) -> None:
    told = flow()  # type: ignore[operator]
    phone = Phone(told.channel)
    phone.broken = True
    assert await posted(phone, told.webhooks[0]) == 503
