"""Only what the provider signed is admitted: every vector is, and no changed byte of what a signature covers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.channels.telephony.parse import parse
from shared.channels.telephony.providers import PROVIDERS
from shared.channels.telephony.webhook import Webhook
from shared.connector import BadInput, Channel
from shared.parsed import RawItem, UnreadableItem
from tests.channels.telephony.flows import (
    FLOWS,
    FORM,
    MANGO,
    TWILIO,
    UIS,
    ZADARMA,
    admitted,
    corpus,
    heard,
    mango_flow,
    mango_webhook,
    twilio_flow,
    twilio_webhook,
    uis_flow,
    uis_webhook,
    zadarma_flow,
    zadarma_webhook,
)
from tests.channels.telephony.phone import AT


def is_admitted(webhook: Webhook, channel: Channel) -> bool:
    """Return whether it is. Raises what is no refusal with 401."""
    try:
        PROVIDERS[channel.settings["provider"]].admit(webhook, channel.settings)
    except BadInput as refused:
        if refused.status != 401:
            raise
        return False
    return True


def changes(data: bytes) -> Iterator[bytes]:
    """Each byte changed in every way that a flipped bit, a next byte or another letter case makes."""
    for place, byte in enumerate(data):
        for other in {byte ^ 1, byte ^ 0x20, byte ^ 0x80, (byte + 1) % 256, ord("="), ord("&"), ord("+")} - {byte}:
            yield data[:place] + bytes([other]) + data[place + 1 :]


def with_header(webhook: Webhook, name: str, value: bytes) -> Webhook:
    return replace(webhook, headers={**webhook.headers, name: value.decode("latin-1")})


# --- Twilio -----------------------------------------------------------------------------------------------


def test_every_vector_of_twilio_is_judged_rightly() -> None:
    told = corpus("twilio")
    for vector in told["vectors"]:
        pairs = [tuple(pair) for pair in vector.get("params_list") or vector.get("params", {}).items()]
        body = vector.get("body", urlencode(pairs)).encode()
        headers = {"content-type": "application/json"} if "body" in vector else FORM
        headers = {**headers, "x-twilio-signature": vector["signature"]}
        webhook = Webhook(headers, body, AT, query=vector["url"].partition("?")[2], urls=(vector["url"],))
        assert is_admitted(webhook, TWILIO) == vector["valid"], vector["src"]


def test_no_changed_byte_of_a_twilio_webhook_is_admitted() -> None:
    for webhook in twilio_flow().webhooks:
        assert is_admitted(webhook, TWILIO)
        assert not any(is_admitted(replace(webhook, body=body), TWILIO) for body in changes(webhook.body))
        signature = webhook.headers["x-twilio-signature"].encode()
        for changed in changes(signature):
            assert not is_admitted(with_header(webhook, "x-twilio-signature", changed), TWILIO)
        for rest in changes(webhook.urls[0].removeprefix("https://").encode()):
            address = f"https://{rest.decode('latin-1')}"
            assert not is_admitted(replace(webhook, urls=(address,)), TWILIO), address


def test_no_changed_byte_of_a_json_body_is_admitted() -> None:
    body = b'{"property": "value"}'
    url = f"https://okno.example/in/telephony/1?bodySHA256={hashlib.sha256(body).hexdigest()}"
    webhook = twilio_webhook({}, url)
    webhook = replace(webhook, body=body, headers={**webhook.headers, "content-type": "application/json"})
    assert is_admitted(webhook, TWILIO)
    assert not any(is_admitted(replace(webhook, body=changed), TWILIO) for changed in changes(body))


def test_a_webhook_of_another_twilio_account_is_refused() -> None:
    url = "https://okno.example/in/telephony/1"
    assert is_admitted(twilio_webhook({"AccountSid": TWILIO.settings["account_sid"]}, url), TWILIO)
    assert not is_admitted(twilio_webhook({"AccountSid": "AC1"}, url), TWILIO)
    assert not is_admitted(twilio_webhook({}, url, token="another"), TWILIO)


# --- Mango ------------------------------------------------------------------------------------------------


def test_no_changed_byte_of_a_mango_webhook_is_admitted() -> None:
    for webhook in mango_flow().webhooks:
        assert is_admitted(webhook, MANGO)
        assert not any(is_admitted(replace(webhook, body=body), MANGO) for body in changes(webhook.body))


def test_signed_junk_from_mango_is_a_bad_request() -> None:
    webhook = mango_webhook({}, "events/call")
    text, body = '{"entry_id":', webhook.body
    sign = hashlib.sha256(f"qwerty123{text}salt456".encode()).hexdigest()
    body = urlencode({"vpbx_api_key": "qwerty123", "sign": sign, "json": text}).encode()
    with pytest.raises(BadInput) as refused:
        PROVIDERS["mango"].admit(replace(webhook, body=body), MANGO.settings)
    assert refused.value.status == 400


# --- Zadarma ----------------------------------------------------------------------------------------------


def test_no_changed_byte_of_what_zadarma_signs_is_admitted() -> None:
    for event, webhook in zip(corpus("zadarma")["events"], zadarma_flow().webhooks, strict=True):
        assert is_admitted(webhook, ZADARMA)
        for name in event["signed_fields"]:
            part = urlencode({name: event["fields"][name]}).encode()
            for changed in changes(part):
                body = webhook.body.replace(part, changed)
                assert not is_admitted(replace(webhook, body=body), ZADARMA), changed
        signature = webhook.headers["signature"].encode()
        assert not any(is_admitted(with_header(webhook, "signature", s), ZADARMA) for s in changes(signature))


def test_what_zadarma_leaves_unsigned_changes_only_the_call_it_names() -> None:
    fields = {"event": "NOTIFY_END", "pbx_call_id": "in_2", "caller_id": "+79161234567", "called_did": "74951234567"}
    fields |= {"call_start": "2026-11-21 14:26:47", "disposition": "answered", "duration": "5"}
    signed = fields["caller_id"] + fields["called_did"] + fields["call_start"]
    webhook = zadarma_webhook(fields, signed)
    forged = replace(webhook, body=webhook.body.replace(b"in_2", b"in_1"))
    assert is_admitted(forged, ZADARMA)
    assert not is_admitted(replace(webhook, body=webhook.body.replace(b"79161234567", b"79161234568")), ZADARMA)
    assert not is_admitted(zadarma_webhook({**fields, "event": "NOTIFY_WHATEVER"}, signed), ZADARMA)
    assert not is_admitted(zadarma_webhook(fields, signed, secret="another"), ZADARMA)


# --- UIS --------------------------------------------------------------------------------------------------


def test_no_changed_byte_of_the_token_of_uis_is_admitted() -> None:
    (webhook, *_) = uis_flow().webhooks
    token = UIS.settings["token"].encode()
    assert is_admitted(webhook, UIS)
    for changed in changes(token):
        assert not is_admitted(replace(webhook, query=f"token={changed.decode('latin-1')}"), UIS), changed
    for query in ("", "token=", "token", f"token={UIS.settings['token']}&token=x", f"Token={UIS.settings['token']}"):
        assert not is_admitted(replace(webhook, query=query), UIS)


def test_a_template_that_is_no_json_is_a_bad_request() -> None:
    with pytest.raises(BadInput) as refused:
        PROVIDERS["uis"].admit(replace(uis_webhook({}), body=b'{"a": }'), UIS.settings)
    assert refused.value.status == 400


# --- all of them ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FLOWS)
def test_every_webhook_of_a_flow_is_admitted_and_read(name: str) -> None:
    flow = FLOWS[name]()
    assert len(heard(flow)) == len(flow.webhooks)


@pytest.mark.parametrize("name", FLOWS)
def test_a_webhook_that_comes_again_later_has_the_same_key(name: str) -> None:
    flow = FLOWS[name]()
    for webhook in flow.webhooks:
        later = replace(webhook, at=AT.replace(hour=15))
        assert admitted(later, flow.channel).key == admitted(webhook, flow.channel).key


@pytest.mark.parametrize("channel", [TWILIO, MANGO, ZADARMA, UIS], ids=lambda channel: channel.settings["provider"])
@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"a=b&a=c", b"%", b"a=%zz", b"&&&", b"=", b"a" * 70_000, b"{}"])
def test_unsigned_junk_is_refused(channel: Channel, body: bytes) -> None:
    for headers in ({}, FORM, {"content-type": "application/json"}, {"content-type": "\xff"}):
        webhook = Webhook(headers, body, AT, urls=("https://okno.example/in/telephony/1",), event="events/call")
        assert not is_admitted(webhook, channel)


@pytest.mark.parametrize(
    ("provider", "data"),
    [
        ("twilio", b"CallSid=CA1&CallStatus=dancing&Direction=inbound"),
        ("twilio", b"CallStatus=ringing"),
        ("twilio", b"CallSid=CA1&CallStatus=ringing&Timestamp=soon"),
        ("twilio", b"CallSid=CA1&RecordingSid=..%2F..%2FAccounts&RecordingStatus=completed"),
        ("twilio", b"not a form"),
        ("mango", b"json=%5B%5D"),
        ("mango", urlencode({"json": '{"entry_id": "e", "call_state": "Danced"}'}).encode()),
        ("mango", urlencode({"json": '{"entry_id": "e", "call_state": "Appeared", "from": 7}'}).encode()),
        ("mango", urlencode({"json": '{"entry_id": "e", "call_state": "Appeared", "timestamp": "x"}'}).encode()),
        ("mango", urlencode({"json": '{"call_state": "Appeared"}'}).encode()),
        ("zadarma", b"event=NOTIFY_DANCE"),
        ("zadarma", b"event=NOTIFY_START&call_start=yesterday&pbx_call_id=in_1"),
        ("zadarma", b"event=NOTIFY_RECORD&pbx_call_id=in_1"),
        ("zadarma", b"event=NOTIFY_START&caller_id=%2B79161234567"),
        ("uis", b'{"call_session_id": 1}'),
        ("uis", b'{"notification_name": "Lost call"}'),
        ("uis", b'{"notification_name": "Lost call", "call_session_id": [1]}'),
        ("uis", b'{"notification_name": "Lost call", "call_session_id": 1, "notification_time": "x"}'),
        ("uis", b"[]"),
    ],
)
def test_what_is_signed_but_cannot_be_understood_is_unreadable(provider: str, data: bytes) -> None:
    channels = {"twilio": TWILIO, "mango": MANGO, "zadarma": ZADARMA, "uis": UIS}
    item = RawItem(data, "", AT, "k", {"event": "events/call"})
    with pytest.raises(UnreadableItem):
        parse(item, channels[provider])


texts = st.sampled_from(
    ["", "0", "101", "+79161234567", "ringing", "completed", "answered", "1398956978", "9" * 30]
) | st.text(max_size=12)
values = texts | st.integers() | st.none() | st.booleans() | st.floats() | st.just([1]) | st.just({"number": "7"})
NAMES = {
    "twilio": ["CallSid", "ParentCallSid", "CallStatus", "From", "To", "Direction", "CallDuration", "Timestamp",
               "SequenceNumber", "RecordingSid", "RecordingStatus", "DialCallStatus"],
    "mango": ["entry_id", "call_id", "timestamp", "seq", "call_state", "location", "from", "to", "talk_time",
              "entry_result", "call_direction", "create_time", "end_time", "recording_id", "recording_state"],
    "zadarma": ["pbx_call_id", "call_start", "caller_id", "called_did", "destination", "internal", "duration",
                "disposition", "call_id_with_rec"],
    "uis": ["call_session_id", "notification_name", "notification_time", "contact_phone_number", "direction",
            "talk_time_duration", "employee_id", "file_link", "virtual_phone_number"],
}  # fmt: skip
CHANNELS = {"twilio": TWILIO, "mango": MANGO, "zadarma": ZADARMA, "uis": UIS}
EVENTS = ["events/call", "events/summary", "events/recording", "NOTIFY_START", "NOTIFY_END", "NOTIFY_OUT_END"]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from(sorted(NAMES)), st.sampled_from(EVENTS))
def test_whatever_is_signed_is_a_call_or_is_unreadable(data: st.DataObject, provider: str, event: str) -> None:
    names = st.sampled_from(NAMES[provider])
    if provider in ("twilio", "zadarma"):
        told = data.draw(st.dictionaries(names, texts))
        body = urlencode({"event": event, **told} if provider == "zadarma" else told, errors="replace").encode()
    else:
        text = json.dumps(data.draw(st.dictionaries(names, values)))
        body = text.encode() if provider == "uis" else urlencode({"json": text}).encode()
    item = RawItem(body, "", AT, "k", {"event": event, "query": ""})
    try:
        parsed = parse(item, CHANNELS[provider])
    except UnreadableItem as reason:
        assert str(reason)  # noqa: PT017
    else:
        assert parsed.call
