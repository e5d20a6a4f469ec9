"""PURE: Zadarma: the PBX's notifications, signed with the API secret.

`Signature` is the base64 of the hex HMAC-SHA1 of a few fields in a row (https://zadarma.com/en/support/api/#webhooks):
caller_id, called_did and call_start of an incoming call, internal, destination and call_start of an outgoing one,
caller_id, destination and call_start of an answer, pbx_call_id and call_id_with_rec of a recording.

What Zadarma does not sign: the event's own name and, but for recordings, pbx_call_id; internal, duration, disposition,
is_recorded and all else. Who has seen one notification can send it again with those changed. So they are believed of
the call that they name and of nothing else: who the client is comes from signed fields alone, an event that is not
known is refused, and a recording is fetched only by the account's own API. A notification that is replayed has the
same content, so the same key, and changes nothing.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qs

from shared.channels.telephony import form
from shared.channels.telephony.report import Report, State, local_time, number, parsed, text, whole
from shared.channels.telephony.webhook import Admitted, Answered, Webhook, content_key, not_authentic
from shared.connector import Channel
from shared.contracts.inbound import Call, Leg, RemoteFile
from shared.parsed import Parsed, RawItem, UnreadableItem

ECHO_CHARACTERS = 200
_INCOMING = ("caller_id", "called_did", "call_start")
_OUTGOING = ("internal", "destination", "call_start")
_SIGNED: dict[str, tuple[str, ...]] = {
    "NOTIFY_START": _INCOMING,
    "NOTIFY_INTERNAL": _INCOMING,
    "NOTIFY_IVR": _INCOMING,
    "NOTIFY_ANSWER": ("caller_id", "destination", "call_start"),
    "NOTIFY_END": _INCOMING,
    "NOTIFY_OUT_START": _OUTGOING,
    "NOTIFY_OUT_END": _OUTGOING,
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
}


def problems(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the credentials."""
    return [f"{name} is required: see Zadarma's API page" for name in ("api_key", "api_secret") if not settings[name]]


def greet(query: str) -> Answered | None:
    """Answer the question by which Zadarma checks an address: `?zd_echo=X` is answered X."""
    echo = parse_qs(query, keep_blank_values=True).get("zd_echo", [""])[0]
    return Answered(echo.encode(), "text/plain") if 0 < len(echo) <= ECHO_CHARACTERS else None


def admit(webhook: Webhook, settings: Mapping[str, str]) -> Admitted:
    """Check the signature. Raises BadInput 401."""
    try:
        fields = form.decode_unique(webhook.body)
        signed = "".join(fields.get(name, "") for name in _SIGNED[fields["event"]])
    except (ValueError, KeyError) as error:
        raise not_authentic("The body is no notification whose signature can be checked.") from error
    digest = hmac.new(settings["api_secret"].encode(), signed.encode(), "sha1").hexdigest()
    given = webhook.headers.get("signature", "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, base64.b64encode(digest.encode())):
        raise not_authentic("The Signature does not fit the fields and the API secret.")
    return Admitted(content_key(webhook.body), "application/x-www-form-urlencoded", {})


def read(item: RawItem, channel: Channel) -> Parsed:
    """Return the call as this notification tells it. Raises UnreadableItem."""
    try:
        fields = form.decode_unique(item.data)
    except ValueError as error:
        raise UnreadableItem(str(error)) from error
    event, settings = fields.get("event", ""), channel.settings
    if event not in _SIGNED:
        raise UnreadableItem(f"unknown event {event!r}")
    if event == "NOTIFY_RECORD":
        report = _recording(fields)
    else:
        began = local_time(fields, "call_start", settings["timezone"])
        report = (_ours if _is_ours(event, fields) else _theirs)(event, fields, began, settings["country"])
    return parsed(report, item, channel)


# --- what is told -----------------------------------------------------------------------------------------


def _is_ours(event: str, fields: Mapping[str, str]) -> bool:
    """An answer is told alike of both; the calls' ids begin with in_ and out_."""
    return "_OUT_" in event or (event == "NOTIFY_ANSWER" and text(fields, "pbx_call_id").startswith("out_"))


def _theirs(event: str, fields: Mapping[str, str], began: datetime | None, country: str) -> Report:
    client, state = number(fields, "caller_id", country), _state(event, fields, nobody="missed")
    call = _call(state, "inbound", client, number(fields, "called_did", country), fields, began)
    return Report(text(fields, "pbx_call_id"), call, client, began)


def _ours(event: str, fields: Mapping[str, str], began: datetime | None, country: str) -> Report:
    """`caller_id` is 0 when the extension's own number is shown."""
    client, state = number(fields, "destination", country), _state(event, fields, nobody="failed")
    shown = number(fields, "caller_id", country)
    from_ = shown if shown.startswith("+") else text(fields, "internal")
    call = _call(state, "outbound", from_, client, fields, began)
    return Report(text(fields, "pbx_call_id"), call, client, began)


def _call(state: State, direction: str, from_: str, to: str, fields: Mapping[str, str], began: datetime | None) -> Call:
    is_end = state in ("finished", "missed", "failed")
    return Call(
        state=state,
        direction="inbound" if direction == "inbound" else "outbound",
        from_=from_,
        to=to,
        answered_by=text(fields, "internal") if state == "finished" else "",
        talking_seconds=(whole(fields, "duration") or 0) if is_end else None,
        started_at=began,
        legs=_legs(state, fields, direction),
    )


def _legs(state: State, fields: Mapping[str, str], direction: str) -> tuple[Leg, ...]:
    """An extension that rings or has taken the call. Zadarma tells no times of it."""
    internal = text(fields, "internal")
    if not internal or state in ("missed", "failed") or direction == "outbound":
        return ()
    states: dict[State, Literal["ringing", "answered", "ended"]] = {"answered": "answered", "finished": "ended"}
    return (Leg(internal, internal, states.get(state, "ringing"), answered=state in states),)


def _state(event: str, fields: Mapping[str, str], nobody: State) -> State:
    """`disposition`: answered, busy, cancel, no answer, failed, no money, unallocated number, no limit ..."""
    if event == "NOTIFY_ANSWER":
        return "answered"
    if not event.endswith("_END"):
        return "ringing"
    disposition = text(fields, "disposition")
    if disposition == "answered":
        return "finished"
    return nobody if disposition in ("busy", "cancel", "no answer", "") else "failed"


def _recording(fields: Mapping[str, str]) -> Report:
    recording = text(fields, "call_id_with_rec")
    if not recording:
        raise UnreadableItem("call_id_with_rec is missing")
    files = (RemoteFile(recording, "recording.mp3", "audio/mpeg"),)
    call = Call("ringing", "inbound", "", "", recording=recording)
    return Report(text(fields, "pbx_call_id"), call, None, None, files)
