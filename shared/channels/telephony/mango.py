"""PURE: Mango Office: events of legs, the summary of a call, and its recordings.

Each is a form with `vpbx_api_key`, `json` and `sign`, the SHA-256 in hex of api key, raw json and api salt
(Mango Office, API of the virtual PBX, 2.1), posted below the channel's address: `events/call`, `events/summary`,
`events/recording`, `events/record/added`. Mango promises no order: legs are ordered by `seq` within `call_id`, and
`entry_id` is the call. Only the summary tells how a call ended. No time is checked: a webhook that is replayed has the
same content, so the same key, and changes nothing. Calls between colleagues are nobody's on a timeline and not kept.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from shared.channels.telephony import form
from shared.channels.telephony.report import Report, State, json_object, number, parsed, section, text, unix_time, whole
from shared.channels.telephony.webhook import Admitted, Webhook, content_key, not_authentic
from shared.connector import BadInput, Channel
from shared.contracts.inbound import Call, Leg, RemoteFile
from shared.parsed import Parsed, RawItem, UnreadableItem

Event = Mapping[str, Any]

_INTERNAL = 0
"""`call_direction` of a call between colleagues."""
_OUTBOUND = 2


def problems(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the credentials."""
    return [f"{name} is required: it signs Mango's webhooks" for name in ("api_key", "api_salt") if not settings[name]]


def sign(json_text: bytes, settings: Mapping[str, str]) -> str:
    """Return the signature of a request or webhook."""
    return hashlib.sha256(settings["api_key"].encode() + json_text + settings["api_salt"].encode()).hexdigest()


def admit(webhook: Webhook, settings: Mapping[str, str]) -> Admitted | None:
    """Check the signature; None for what is no client's call. Raises BadInput: 401, or 400 if it is no JSON object."""
    try:
        fields = form.decode_unique(webhook.body)
        signed, given = fields["json"].encode(), fields["sign"].encode()
        key = fields["vpbx_api_key"].encode()
    except (ValueError, KeyError) as error:
        raise not_authentic("The fields vpbx_api_key, sign and json are needed.") from error
    fits = hmac.compare_digest(given, sign(signed, settings).encode())
    if not (hmac.compare_digest(key, settings["api_key"].encode()) and fits):
        raise not_authentic("The sign does not fit the json, the key and the salt.")
    event = json_object(signed)
    if event is None:
        raise BadInput(400, "Broken JSON", "The field json must be an object.")
    if webhook.event not in _READERS or _is_internal(webhook.event, event):
        return None
    return Admitted(content_key(webhook.event, signed), "application/x-www-form-urlencoded", {"event": webhook.event})


def read(item: RawItem, channel: Channel) -> Parsed:
    """Return the call as this webhook tells it. Raises UnreadableItem."""
    try:
        event = json_object(form.decode_unique(item.data)["json"].encode())
    except (ValueError, KeyError) as error:
        raise UnreadableItem("not a form with the field json") from error
    reader = _READERS.get(item.context.get("event", ""))
    if event is None or reader is None:
        raise UnreadableItem(f"not an event of a call: {item.context.get('event')!r}")
    return parsed(reader(event, channel.settings["country"]), item, channel)


def _is_internal(kind: str, event: Event) -> bool:
    if kind == "events/summary":
        return str(event.get("call_direction")) == str(_INTERNAL)
    from_, to = event.get("from"), event.get("to")
    if kind != "events/call" or not isinstance(from_, dict) or not isinstance(to, dict):
        return False
    return bool(from_.get("extension") and to.get("extension")) and not from_.get("taken_from_call_id")


# --- a leg ------------------------------------------------------------------------------------------------


def _call(event: Event, country: str) -> Report:
    """One telephone of the call. With an operator as `from`, it is a consultation or a call that we make."""
    from_, to = section(event, "from"), section(event, "to")
    is_ours = bool(text(from_, "extension")) and not text(to, "extension") and not text(from_, "taken_from_call_id")
    consults = bool(text(from_, "extension")) and not is_ours
    client = "" if consults else number(to if is_ours else from_, "number", country)
    leg = _leg(event, from_, to, consults=consults, country=country)
    call = Call(
        state="answered" if leg.answered else "ringing",
        direction="outbound" if is_ours else "inbound",
        from_=number(from_, "line_number", country) or text(from_, "extension") if is_ours else client,
        to=client if is_ours else number(to, "line_number", country),
        started_at=None if text(from_, "taken_from_call_id") else leg.started_at,
        legs=(leg,),
    )
    return Report(text(event, "entry_id"), call, None if consults else client, leg.at)


def _leg(event: Event, from_: Event, to: Event, *, consults: bool, country: str) -> Leg:
    """`locaton`: so it is spelled in the examples of Mango's document."""
    at, told = unix_time(event, "timestamp"), text(event, "call_state")
    place = text(event, "location") or text(event, "locaton") or "abonent"
    talks = told in ("Connected", "OnHold") and place == "abonent"
    if told not in ("Appeared", "Connected", "OnHold", "Disconnected"):
        raise UnreadableItem(f"unknown call_state {told!r}")
    return Leg(
        id=text(event, "call_id"),
        to=text(to, "extension") or (text(from_, "extension") or number(to, "number", country)),
        state=_leg_state(told, talks=talks, consults=consults),
        sequence=whole(event, "seq") or 0,
        at=at,
        answered=talks and not consults,
        started_at=at if told == "Appeared" else None,
        answered_at=at if told == "Connected" and talks and not consults else None,
        ended_at=at if told == "Disconnected" else None,
        transferred_from=text(from_, "taken_from_call_id"),
    )


def _leg_state(told: str, *, talks: bool, consults: bool) -> Any:
    """A voice menu or a queue that is Connected has answered nobody."""
    if told == "Disconnected":
        return "ended"
    if not talks:
        return "ringing"
    if consults:
        return "consulting"
    return "on_hold" if told == "OnHold" else "answered"


# --- the end, and recordings ------------------------------------------------------------------------------


def _summary(event: Event, country: str) -> Report:
    """`talk_time` is when talking began, 0 when it never did; `entry_result` is 1 when it did."""
    from_, to, line = section(event, "from"), section(event, "to"), number(event, "line_number", country)
    is_ours = whole(event, "call_direction") == _OUTBOUND
    client = number(to if is_ours else from_, "number", country)
    began, talked, ended = (unix_time(event, name) for name in ("create_time", "talk_time", "end_time"))
    is_answered = text(event, "entry_result") == "1"
    missed: State = "failed" if is_ours else "missed"
    operator = from_ if is_ours else to
    waited_until = talked or ended
    call = Call(
        state="finished" if is_answered else missed,
        direction="outbound" if is_ours else "inbound",
        from_=line or number(from_, "number", country) if is_ours else client,
        to=client if is_ours else line or number(to, "number", country),
        answered_by=_name(operator, country) if is_answered else "",
        waiting_seconds=_between(began, waited_until),
        talking_seconds=_between(talked, ended) if talked else 0,
        started_at=began,
        answered_at=talked,
        ended_at=ended,
    )
    return Report(text(event, "entry_id"), call, client, began)


def _recording(event: Event, country: str) -> Report:
    """Only a completed recording can be fetched."""
    is_ready = text(event, "recording_state") in ("Completed", "")
    recording = text(event, "recording_id") if is_ready else ""
    files = (RemoteFile(recording, "recording.mp3", "audio/mpeg"),) if recording else ()
    call = Call("ringing", "inbound", "", "", recording=recording)
    return Report(text(event, "entry_id"), call, None, unix_time(event, "timestamp"), files)


def _name(operator: Event, country: str) -> str:
    return text(operator, "extension") or number(operator, "number", country)


def _between(begin: Any, end: Any) -> int | None:
    return max(0, round((end - begin).total_seconds())) if begin and end else None


_READERS = {
    "events/call": _call,
    "events/summary": _summary,
    "events/recording": _recording,
    "events/record/added": _recording,
}
