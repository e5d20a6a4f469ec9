"""A telephony webhook that its provider did not sign is answered 401 by the running server, and leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.channels.telephony.webhook import Webhook
from shared.clock import now
from tests.channels.telephony.flows import JSON, mango_webhook, twilio_webhook, uis_webhook, zadarma_webhook
from tests.channels.telephony.test_generic import SECRET, signed
from tests.flows.evidence import bugs
from tests.flows.stage import Stage, eventually

KEY, WRONG = "the-key-of-the-channel", "the-key-of-somebody-else"
CLIENT, LINE, FORGER = "+79161234567", "+74951234567", "+79160000000"
SETTINGS: dict[str, dict[str, str]] = {
    "twilio": {"account_sid": "AC1", "auth_token": KEY},
    "mango": {"api_key": "public", "api_salt": KEY},
    "zadarma": {"api_key": "public", "api_secret": KEY},
    "uis": {"token": KEY},
    "generic": {"secret": SECRET},
}


def twilio(url: str, call_id: str, key: str) -> Webhook:
    fields = {"AccountSid": "AC1", "CallSid": call_id, "From": CLIENT, "To": LINE, "Direction": "inbound"}
    return twilio_webhook({**fields, "CallStatus": "ringing"}, url, key)


def mango(url: str, call_id: str, key: str) -> Webhook:
    event = {"entry_id": call_id, "call_id": call_id, "seq": 1, "timestamp": 1398956978, "call_state": "Appeared"}
    told = {**event, "location": "ivr", "from": {"number": CLIENT}, "to": {"number": LINE}}
    return mango_webhook(told, "events/call", {"api_key": "public", "api_salt": key})


def zadarma(url: str, call_id: str, key: str) -> Webhook:
    signed = {"caller_id": CLIENT, "called_did": LINE, "call_start": "2026-11-21 14:26:47"}
    return zadarma_webhook({"event": "NOTIFY_START", "pbx_call_id": call_id, **signed}, "".join(signed.values()), key)


def uis(url: str, call_id: str, key: str) -> Webhook:
    told = {"notification_name": "Inbound call", "notification_time": "2026-11-21 14:26:47", "call_session_id": call_id}
    return uis_webhook({**told, "contact_phone_number": CLIENT, "virtual_phone_number": LINE}, key)


def generic(url: str, call_id: str, key: str) -> Webhook:
    data = {"call_id": call_id, "from": CLIENT, "to": LINE, "direction": "inbound"}
    body = json.dumps({"type": "call.ringing", "timestamp": "2026-11-21T09:29:58Z", "data": data}).encode()
    headers = signed(body, str(uuid4()), now())
    if key == WRONG:
        headers["webhook-signature"] = signed(body, str(uuid4()), now())["webhook-signature"]
    return Webhook({**JSON, **headers}, body, now())


MAKE: dict[str, Callable[[str, str, str], Webhook]] = {
    "twilio": twilio, "mango": mango, "zadarma": zadarma, "uis": uis, "generic": generic,
}  # fmt: skip
UNSIGNED_BODY = {"uis"}
"""Providers that sign nothing: there the address alone is secret."""


def forged(provider: str, url: str, call_id: str) -> Iterator[Webhook]:
    """By another key, unsigned, and where the body is signed with another caller in it."""
    yield MAKE[provider](url, call_id, WRONG)
    right = MAKE[provider](url, call_id, KEY)
    signatures = {"x-twilio-signature", "signature", "webhook-signature"}
    bare = {name: value for name, value in right.headers.items() if name not in signatures}
    yield replace(right, headers=bare, query="", body=right.body.replace(b"sign=", b"sing="))
    if provider not in UNSIGNED_BODY:
        yield replace(right, body=right.body.replace(CLIENT[1:].encode(), FORGER[1:].encode()))


def post(url: str, webhook: Webhook) -> httpx.Response:
    address = url + (f"/{webhook.event}" if webhook.event else "") + (f"?{webhook.query}" if webhook.query else "")
    return httpx.post(address, content=webhook.body, headers=dict(webhook.headers), timeout=20, trust_env=False)


def events_after(stage: Stage, position: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while items := stage.get("/events", after=position, limit=500)["items"]:
        events += items
        position = items[-1]["position"]
    return events


def received(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["external_id"] for event in events if event["type"] == "MessageReceived"]


@pytest.mark.parametrize("stage", ["embedded"], indirect=True)
@pytest.mark.parametrize("provider", SETTINGS)
def test_a_webhook_with_a_wrong_signature_is_401_and_no_event(stage: Stage, provider: str) -> None:
    channel_id = stage.add_channel("telephony", provider, {"provider": provider, **SETTINGS[provider]})
    before = max((event["position"] for event in events_after(stage, 0)), default=0)
    url, real = f"{stage.url}/in/telephony/{channel_id}", f"real-{uuid4()}"
    for webhook in forged(provider, url, f"forged-{uuid4()}"):
        answer = post(url, webhook)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), answer.text
    assert post(url, MAKE[provider](url, real, KEY)).status_code == 200
    eventually(lambda: received(events_after(stage, before)), what="the call that was signed")
    events = events_after(stage, before)
    assert received(events) == [real]
    assert not any(trace in json.dumps(events) for trace in ("forged", FORGER[1:]))
    assert [each for each in stage.all("/quarantine") if each["channel"]["id"] == channel_id] == []
    assert bugs(stage) == []
