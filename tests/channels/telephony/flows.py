"""The signed flows of the corpora, and flows of our own in the same words for what the corpora leave out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from shared.channels.telephony.parse import parse
from shared.channels.telephony.providers import PROVIDERS
from shared.channels.telephony.webhook import Webhook
from shared.connector import Channel
from shared.domain.call import merge
from shared.domain.events import Call, Leg
from shared.parsed import Parsed, RawItem
from tests.channels.telephony.phone import AT, channel

CORPUS = Path(__file__).parents[4] / "shared" / "corpora" / "telephony"
VECTORS = {"twilio": 13, "mango": 13, "zadarma": 8, "uis_templates": 8}
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}

TWILIO = channel("twilio", account_sid="AC00000000000000000000000000000000", auth_token="12345")
MANGO = channel("mango", api_key="qwerty123", api_salt="salt456")
ZADARMA = channel("zadarma", api_key="zkey", api_secret="zsecret")
UIS = channel("uis", token="a-token-of-the-address")


@dataclass(frozen=True, slots=True)
class Flow:
    """Webhooks of one call or more, with the channel they are sent to."""

    channel: Channel
    webhooks: tuple[Webhook, ...]


def corpus(name: str) -> Any:
    """Return a file of the corpora; skip with the count of its vectors where they are absent."""
    if not CORPUS.exists():
        pytest.skip(f"corpora/telephony: {VECTORS[name]} vectors of {name} are not here")
    return json.loads((CORPUS / f"{name}.json").read_text())


def twilio_flow() -> Flow:
    told = corpus("twilio")["flow_signed_by_twilio_lib"]
    return Flow(TWILIO, tuple(_signed_by_twilio(event) for event in told))


def mango_flow(*names: str) -> Flow:
    told = corpus("mango")
    events = [event for name in names or ("call_with_consultation", "summary", "recording") for event in told[name]]
    return Flow(MANGO, tuple(Webhook(FORM, e["body"].encode(), AT, event=e["path"].strip("/")) for e in events))


def zadarma_flow() -> Flow:
    events = corpus("zadarma")["events"]
    return Flow(ZADARMA, tuple(_signed_by_zadarma(event) for event in events))


def uis_flow() -> Flow:
    """The templates with values: one call that is taken, one that is lost, one that we make."""
    names = corpus("uis_templates")["templates"]
    taken = ["Inbound call on a virtual phone number", "Waiting for the answer", "Talk started", "Talk finished"]
    taken += ["Call finished", "Call recording completed"]
    bodies = [_uis_body(name, names[name], "500", n) for n, name in enumerate(taken)]
    bodies += [_uis_body(name, names[name], "501", n) for n, name in enumerate([taken[0], "Lost call"])]
    bodies += [_uis_body("Outbound call", names["Outbound call"], "502", 0)]
    return Flow(UIS, tuple(uis_webhook(body) for body in bodies))


FLOWS = {"twilio": twilio_flow, "mango": mango_flow, "zadarma": zadarma_flow, "uis": uis_flow}


def admitted(webhook: Webhook, channel: Channel) -> RawItem:
    """Return what is kept of a webhook. Raises BadInput."""
    admitted = PROVIDERS[channel.settings["provider"]].admit(webhook, channel.settings)
    assert admitted is not None
    return RawItem(webhook.body, admitted.media_type, webhook.at, admitted.key, admitted.context)


def heard(flow: Flow) -> list[Parsed]:
    return [parse(admitted(webhook, flow.channel), flow.channel) for webhook in flow.webhooks]


def stored(parsed: Parsed) -> Call:
    """Return a call as the projector stores it."""
    call = parsed.call
    assert call is not None
    values = {name: getattr(call, name) for name in call.__slots__}
    legs = tuple(Leg(*(getattr(leg, name) for name in leg.__slots__)) for leg in call.legs)
    return Call(**{**values, "legs": legs})


def calls(told: Sequence[Parsed]) -> dict[str, Call]:
    """Return what was told of each call."""
    merged: dict[str, Call] = {}
    for parsed in told:
        call, known = stored(parsed), merged.get(parsed.external_id)
        merged[parsed.external_id] = call if known is None else merge(known, call)
    return merged


# --- signing as the providers do --------------------------------------------------------------------------


def twilio_webhook(fields: Mapping[str, str], url: str, token: str = "12345") -> Webhook:
    covered = url + "".join(name + value for name, value in sorted(fields.items()))
    signature = base64.b64encode(hmac.digest(token.encode(), covered.encode(), "sha1")).decode()
    query = url.partition("?")[2]
    return Webhook({**FORM, "x-twilio-signature": signature}, urlencode(fields).encode(), AT, query=query, urls=(url,))


def mango_webhook(event: Mapping[str, Any], path: str, settings: Mapping[str, str] = MANGO.settings) -> Webhook:
    text = json.dumps(event)
    sign = hashlib.sha256(f"{settings['api_key']}{text}{settings['api_salt']}".encode()).hexdigest()
    body = urlencode({"vpbx_api_key": settings["api_key"], "sign": sign, "json": text})
    return Webhook(FORM, body.encode(), AT, event=path)


def zadarma_webhook(fields: Mapping[str, str], signed: str, secret: str = "zsecret") -> Webhook:
    digest = hmac.new(secret.encode(), signed.encode(), "sha1").hexdigest()
    signature = base64.b64encode(digest.encode()).decode()
    return Webhook({**FORM, "signature": signature}, urlencode(fields).encode(), AT)


def uis_webhook(body: Mapping[str, Any], token: str = UIS.settings["token"]) -> Webhook:
    return Webhook(JSON, json.dumps(body, ensure_ascii=False).encode(), AT, query=f"token={token}")


def _signed_by_twilio(event: Mapping[str, Any]) -> Webhook:
    headers = {"content-type": event["content_type"], **{k.lower(): v for k, v in event["header"].items()}}
    return Webhook(headers, event["body"].encode(), AT, urls=(event["url"],))


def _signed_by_zadarma(event: Mapping[str, Any]) -> Webhook:
    headers = {"content-type": event["content_type"], **{k.lower(): v for k, v in event["header"].items()}}
    return Webhook(headers, event["body"].encode(), AT)


_UIS_VALUES: dict[str, Any] = {
    "virtual_phone_number": "74951234567",
    "contact_phone_number": "79161234567",
    "employee_full_name": "Иванов Иван",
    "employee_id": 25,
    "direction": "in",
    "leg_id": 7,
    "leg_ids": [7],
    "talk_time_duration": 42,
    "total_time_duration": 50,
    "wait_time_duration": 8,
    "employee_ids": [25, 26],
    "file_link": "https://app.uiscom.ru/system/media/talk/500/2e675888ded89ed517d5c60e63a2d8c3/",
    "file_duration": 42,
    "employee_phone_number": "79990000000",
    "scenario_name": "Основной",
    "tag_names": [],
}


def _uis_body(name: str, variables: Sequence[str], session: str, n: int) -> dict[str, Any]:
    fixed = {"notification_name": name, "notification_time": f"2026-11-21 12:30:{n * 5:02}.250"}
    values = {**_UIS_VALUES, **fixed, "call_session_id": int(session)}
    return {variable: values.get(variable) for variable in variables}
