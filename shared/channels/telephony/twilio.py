"""PURE: Twilio Voice: status, dial and recording callbacks, signed with the account's auth token.

`X-Twilio-Signature` is the HMAC-SHA1, in base64, of the whole public address with its query, followed by each form
field's name and value, sorted; a JSON body is covered by `bodySHA256` in the query instead
(https://www.twilio.com/docs/usage/security). The port may or may not be part of the signed address. Twilio signs no
time: a webhook that is replayed has the same content, so the same key, and changes nothing.

Twilio's `completed` says that the line was open, not that anybody took the call. Where Okno puts calls through itself
(setting forward_to) it is told who answered and goes by that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import parse_qsl, urlsplit, urlunsplit
from xml.sax.saxutils import escape, quoteattr

from shared.channels.telephony import form
from shared.channels.telephony.report import Report, State, parsed, text, whole
from shared.channels.telephony.webhook import Admitted, Answered, Webhook, content_key, not_authentic
from shared.connector import Channel
from shared.contracts.inbound import Call, Leg, RemoteFile
from shared.parsed import Parsed, RawItem, UnreadableItem
from shared.phone_numbers import e164

OUR_CALL = "step=our-call"
"""The query of the addresses we give Twilio for the client's leg of a call that we start."""
DIALLED = "step=dialled"
"""The query of the address that is told how putting a call through ended."""
FORM = "application/x-www-form-urlencoded"
_SPELLED = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE as a keypad spells them: so Twilio tells of a withheld number
(Twilio help centre, "Why am I getting calls from these strange numbers?")."""
_PORTS = {"https": 443, "http": 80}

_STATES: dict[str, State] = {
    "queued": "ringing",
    "initiated": "ringing",
    "ringing": "ringing",
    "in-progress": "answered",
    "answered": "answered",
    "completed": "finished",
    "busy": "missed",
    "no-answer": "missed",
    "canceled": "missed",
    "failed": "failed",
}


def problems(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the account."""
    wrong = []
    if not (settings["account_sid"].startswith("AC") and settings["account_sid"].isalnum()):
        wrong.append("account_sid must be the account's SID, AC...")
    if not settings["auth_token"]:
        wrong.append("auth_token is required: it signs Twilio's webhooks")
    return wrong


def admit(webhook: Webhook, settings: Mapping[str, str]) -> Admitted:
    """Check the signature. Raises BadInput 401."""
    media_type = _media_type(webhook)
    try:
        fields = _fields(webhook)
    except ValueError as error:
        raise not_authentic("The body is not what its content type says.") from error
    signature = webhook.headers.get("x-twilio-signature", "")
    covers_body = media_type == FORM or _covers_body(webhook)
    if not (_is_signed(signature, webhook.urls, fields, settings["auth_token"]) and covers_body):
        raise not_authentic("X-Twilio-Signature does not fit the address, the body and the auth token.")
    if dict(fields).get("AccountSid", settings["account_sid"]) != settings["account_sid"]:
        raise not_authentic("The webhook is of another account.")
    return Admitted(content_key(webhook.query, webhook.body), media_type, {"query": webhook.query})


def answer(webhook: Webhook, settings: Mapping[str, str]) -> Answered:
    """Return TwiML: an incoming call is put through if the channel says where to."""
    fields = dict(_fields(webhook))
    is_new = fields.get("CallStatus") == "ringing" and "CallbackSource" not in fields and not webhook.query
    verbs = _dial(settings, webhook.urls[0]) if is_new and settings["forward_to"] and webhook.urls else ""
    return Answered(f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>'.encode(), "text/xml")


def our_call(number: str, settings: Mapping[str, str], address: str) -> str:
    """Return the TwiML that rings the client once the operator has taken the call; `address`: ours, may be empty."""
    told = _callback(f"{address}?{OUR_CALL}") if address else ""
    return (
        f"<Response><Dial callerId={quoteattr(settings['caller_number'])}>"
        f"<Number{told}>{escape(number)}</Number></Dial></Response>"
    )


def read(item: RawItem, channel: Channel) -> Parsed:
    """Return the call as this webhook tells it. Raises UnreadableItem."""
    try:
        fields = dict(reversed(form.decode(item.data)))
    except ValueError as error:
        raise UnreadableItem(str(error)) from error
    query, at = item.context.get("query", ""), _time(fields, "Timestamp")
    if "RecordingSid" in fields:
        report = _recording(fields, at)
    elif query == OUR_CALL:
        report = _our_call(fields, at, channel.settings["country"])
    elif query == DIALLED:
        report = _dialled(fields, at, channel.settings["country"])
    elif fields.get("ParentCallSid"):
        report = _child(fields, at, channel.settings["country"])
    else:
        report = _status(fields, at, channel.settings)
    return parsed(report, item, channel)


def _media_type(webhook: Webhook) -> str:
    return webhook.headers.get("content-type", FORM).partition(";")[0].strip().lower()


def _fields(webhook: Webhook) -> list[tuple[str, str]]:
    """Raises ValueError."""
    return form.decode(webhook.body) if _media_type(webhook) == FORM else []


# --- the signature ----------------------------------------------------------------------------------------


def _is_signed(signature: str, urls: Iterable[str], fields: list[tuple[str, str]], token: str) -> bool:
    """Names in order, each with its different values in order; compared as text: base64 has several spellings."""
    covered = "".join(name + value for name, value in sorted(set(fields)))
    given, fits = signature.encode("utf-8", "replace"), False
    for url in urls:
        for spelled in _spellings(url):
            expected = base64.b64encode(hmac.digest(token.encode(), (spelled + covered).encode(), "sha1"))
            fits |= hmac.compare_digest(given, expected)
    return fits


def _spellings(url: str) -> set[str]:
    """The address as it is, without its port, and with the port that goes without saying."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    host = parts.netloc.rpartition("@")[2]
    bare = host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]
    hosts = {parts.netloc, bare, f"{bare}:{_PORTS.get(parts.scheme, 443)}"}
    return {urlunsplit(parts._replace(netloc=netloc)) for netloc in hosts}


def _covers_body(webhook: Webhook) -> bool:
    """The signed query names the hash of the body."""
    given = dict(parse_qsl(webhook.query)).get("bodySHA256", "")
    return hmac.compare_digest(given.encode(), hashlib.sha256(webhook.body).hexdigest().encode())


# --- what is told -----------------------------------------------------------------------------------------


def _status(fields: Mapping[str, str], at: datetime | None, settings: Mapping[str, str]) -> Report:
    """A call of ours or of a client's, as a whole."""
    country, is_ours = settings["country"], text(fields, "Direction").startswith("outbound")
    from_, to = _caller(fields, country), e164(text(fields, "To"), country)
    told = _state(fields, "CallStatus", is_ours=is_ours)
    is_end = told in ("finished", "missed", "failed")
    goes_by_who_answered = not is_ours and bool(settings.get("forward_to"))
    state: State = "ringing" if goes_by_who_answered and told in ("answered", "finished") else told
    call = Call(
        state,
        "outbound" if is_ours else "inbound",
        from_,
        to,
        talking_seconds=whole(fields, "CallDuration") if state == "finished" else None,
        started_at=at if told == "ringing" else None,
        answered_at=at if state == "answered" else None,
        ended_at=at if is_end else None,
    )
    return Report(text(fields, "CallSid"), call, to if is_ours else from_, at)


def _child(fields: Mapping[str, str], at: datetime | None, country: str) -> Report:
    """A telephone that the call rings: whose call it is, its own webhook does not tell."""
    legs = (_leg(text(fields, "CallSid"), e164(text(fields, "To"), country), fields, at),)
    state: State = "answered" if legs[0].state == "answered" else "ringing"
    return Report(text(fields, "ParentCallSid"), Call(state, "inbound", "", "", legs=legs), None, at)


def _our_call(fields: Mapping[str, str], at: datetime | None, country: str) -> Report:
    """The client's leg of a call that we started."""
    from_, to = e164(text(fields, "From"), country), e164(text(fields, "To"), country)
    state = _state(fields, "CallStatus", is_ours=True)
    call = Call(
        state,
        "outbound",
        from_,
        to,
        talking_seconds=whole(fields, "CallDuration") if state == "finished" else None,
        started_at=at if state == "ringing" else None,
        answered_at=at if state == "answered" else None,
        ended_at=at if state in ("finished", "missed", "failed") else None,
    )
    return Report(text(fields, "ParentCallSid") or text(fields, "CallSid"), call, to, at)


def _dialled(fields: Mapping[str, str], at: datetime | None, country: str) -> Report:
    """How putting an incoming call through ended (the action of Dial)."""
    state = _state(fields, "DialCallStatus", is_ours=False)
    from_, to = _caller(fields, country), e164(text(fields, "To"), country)
    talked = whole(fields, "DialCallDuration") if state == "finished" else None
    call = Call(state, "inbound", from_, to, talking_seconds=talked, ended_at=at)
    return Report(text(fields, "CallSid"), call, from_, at)


def _recording(fields: Mapping[str, str], at: datetime | None) -> Report:
    sid, is_ready = text(fields, "RecordingSid"), text(fields, "RecordingStatus") in ("completed", "")
    if not (sid.isalnum() and sid.isascii()):
        raise UnreadableItem("RecordingSid is no SID")
    files = (RemoteFile(sid, f"{sid}.mp3", "audio/mpeg"),) if is_ready else ()
    call = Call("ringing", "inbound", "", "", recording=sid if is_ready else "")
    return Report(text(fields, "CallSid"), call, None, at or _time(fields, "RecordingStartTime"), files)


def _caller(fields: Mapping[str, str], country: str) -> str:
    """Return who calls; empty for a withheld number."""
    number = text(fields, "From")
    return "" if number in _SPELLED else e164(number, country)


def _leg(id_: str, to: str, fields: Mapping[str, str], at: datetime | None) -> Leg:
    told = _state(fields, "CallStatus", is_ours=False)
    state: Literal["ringing", "answered", "ended"] = "ended"
    if told == "ringing" or told == "answered":
        state = told
    return Leg(
        id_,
        to,
        state,
        whole(fields, "SequenceNumber") or 0,
        at,
        told in ("answered", "finished"),
        at if state == "ringing" else None,
        at if state == "answered" else None,
        at if state == "ended" else None,
    )


def _state(fields: Mapping[str, str], name: str, *, is_ours: bool) -> State:
    """A call of ours that nobody takes is no call missed by us."""
    told = _STATES.get(text(fields, name))
    if told is None:
        raise UnreadableItem(f"unknown {name} {text(fields, name)!r}")
    return "failed" if is_ours and told == "missed" else told


def _time(fields: Mapping[str, str], name: str) -> datetime | None:
    given = text(fields, name)
    try:
        at = parsedate_to_datetime(given) if given else None
        return at and (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise UnreadableItem(f"{name} is no time: {given!r}") from error


# --- TwiML ------------------------------------------------------------------------------------------------


def _dial(settings: Mapping[str, str], address: str) -> str:
    numbers = [number.strip() for number in settings["forward_to"].split(",") if number.strip()]
    rung = "".join(f"<Number{_callback(address)}>{escape(number)}</Number>" for number in numbers)
    return f'<Dial answerOnBridge="true" action={quoteattr(f"{address}?{DIALLED}")}>{rung}</Dial>'


def _callback(address: str) -> str:
    return f' statusCallback={quoteattr(address)} statusCallbackEvent="initiated ringing answered completed"'
