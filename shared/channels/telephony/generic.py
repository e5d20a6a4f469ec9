"""PURE: the generic provider: calls told by webhooks signed as https://www.standardwebhooks.com says.

Headers: `webhook-id`, the same when the webhook is repeated; `webhook-timestamp`, Unix seconds, within five minutes
of our clock; `webhook-signature`, one or more `v1,BASE64` separated by spaces, each the HMAC-SHA256 of
`{id}.{timestamp}.{body}` under the channel's secret (`whsec_` and the key in base64). The body, JSON:

    {"type": "call.ringing",                     or call.answered, call.finished, call.missed, call.failed;
                                                 call.on_hold, call.resumed, call.transferred, call.recorded
     "timestamp": "2026-11-21T09:30:00Z",        when it happened, RFC 3339
     "data": {"call_id": "c-17",                 the same in all webhooks of a call
              "from": "+79161234567", "to": "+74951234567",
              "direction": "inbound",            or outbound: a call we made
              "answered_by": "101",              from here on optional, null when not known
              "transferred_to": "102",           with call.transferred
              "waiting_seconds": 12, "talking_seconds": 95,
              "recording": "https://..."}}       fetched when it is below the channel's api_url

The webhooks of a call may come in any order and more than once: a call's state only ever moves forward. A webhook
that is signed but cannot be understood is kept in the quarantine; one that is not JSON is refused.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote

from shared.channels.telephony.report import ID_CHARACTERS, Report, State, json_object, parsed, text
from shared.channels.telephony.webhook import Admitted, Webhook, not_authentic
from shared.clock import from_text
from shared.connector import BadInput, Channel
from shared.contracts.inbound import Call, Leg, RemoteFile
from shared.parsed import Parsed, RawItem, UnreadableItem
from shared.phone_numbers import e164

TOLERANCE_SECONDS = 300
KEY_BYTES = 16
"""A shorter key is refused: it could be guessed."""

LegState = Literal["ringing", "answered", "on_hold", "ended"]
_TYPES: dict[str, tuple[State, LegState | None]] = {
    "call.ringing": ("ringing", None),
    "call.answered": ("answered", "answered"),
    "call.on_hold": ("answered", "on_hold"),
    "call.resumed": ("answered", "answered"),
    "call.transferred": ("answered", "answered"),
    "call.finished": ("finished", None),
    "call.missed": ("missed", None),
    "call.failed": ("failed", None),
    "call.recorded": ("ringing", None),
}
"""What each type says of the call and of the one who talks; a recording says nothing of either."""


def problems(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the secret."""
    try:
        key = _key(settings["secret"])
    except ValueError:
        return ["secret must be whsec_ and a key in base64"]
    return [] if len(key) >= KEY_BYTES else [f"secret must be whsec_ and a key in base64, of {KEY_BYTES} bytes or more"]


def admit(webhook: Webhook, settings: Mapping[str, str]) -> Admitted:
    """Check signature and time. Raises BadInput: 401, or 400 if it is signed but not JSON."""
    id_, timestamp = webhook.headers.get("webhook-id", ""), webhook.headers.get("webhook-timestamp", "")
    if not (0 < len(id_) <= ID_CHARACTERS and timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 15):
        raise not_authentic("The headers webhook-id, webhook-timestamp and webhook-signature are needed.")
    if not _is_signed(f"{id_}.{timestamp}.".encode(), webhook, _key(settings["secret"])):
        raise not_authentic("The signature does not fit the body, the headers and the channel's secret.")
    if abs(webhook.at.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise not_authentic(f"webhook-timestamp is more than {TOLERANCE_SECONDS} seconds from the present.")
    if json_object(webhook.body) is None:
        raise BadInput(400, "Broken JSON", "The body must be a JSON object.")
    return Admitted(id_, "application/json", {})


def read(item: RawItem, channel: Channel) -> Parsed:
    """Return the call as this webhook tells it; `item.key` is the webhook's id. Raises UnreadableItem."""
    event = json_object(item.data) or {}
    type_, data = event.get("type"), event.get("data")
    if not isinstance(type_, str) or type_ not in _TYPES or not isinstance(data, dict):
        raise UnreadableItem(f"not an event of a call: type {type_!r}")
    told_at = _told_at(event)
    call = _call(type_, data, told_at, channel.settings["country"])
    client = (call.from_ if "from" in data else None) if call.direction == "inbound" else call.to
    report = Report(text(data, "call_id"), call, client, told_at, _recordings(call, channel))
    return parsed(report, item, channel)


def _key(secret: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)


def _is_signed(prefix: bytes, webhook: Webhook, key: bytes) -> bool:
    """Compare as base64 text: decoded, four spellings of the last character would be the same signature."""
    expected = base64.b64encode(hmac.digest(key, prefix + webhook.body, "sha256"))
    fits = False
    for signature in webhook.headers.get("webhook-signature", "").split(" ")[:20]:
        version, _, value = signature.partition(",")
        fits |= version == "v1" and hmac.compare_digest(value.encode("utf-8", "replace"), expected)
    return fits


def _call(type_: str, data: dict[str, Any], at: datetime | None, country: str) -> Call:
    direction = data.get("direction")
    if direction not in ("inbound", "outbound"):
        raise UnreadableItem("data.direction must be inbound or outbound")
    state, leg_state = _TYPES[type_]
    is_end, who = state in ("finished", "missed", "failed"), text(data, "answered_by")
    return Call(
        state=state,
        direction=direction,
        from_=e164(text(data, "from"), country),
        to=e164(text(data, "to"), country),
        answered_by=who if is_end else "",
        waiting_seconds=_seconds(data, "waiting_seconds"),
        talking_seconds=_seconds(data, "talking_seconds"),
        recording=text(data, "recording"),
        started_at=at if type_ == "call.ringing" else None,
        answered_at=at if type_ == "call.answered" else None,
        ended_at=at if is_end else None,
        legs=(_leg(type_, leg_state, data, at),) if leg_state else (),
    )


def _leg(type_: str, state: LegState, data: dict[str, Any], at: datetime | None) -> Leg:
    """Who talks is a leg of its own by the name that is told."""
    who, next_ = text(data, "answered_by"), text(data, "transferred_to")
    if type_ == "call.transferred" and next_:
        return Leg(next_, next_, state, 0, at, True, answered_at=at, transferred_from=who or "-")
    return Leg(who or "-", who, state, 0, at, True, answered_at=at if type_ == "call.answered" else None)


def _recordings(call: Call, channel: Channel) -> tuple[RemoteFile, ...]:
    """Only what lies below the address the channel names is fetched: anything else could be a trap."""
    base = channel.settings.get("api_url", "").rstrip("/")
    if not base or not call.recording.startswith(f"{base}/") or _climbs(call.recording.removeprefix(base)):
        return ()
    return (RemoteFile(call.recording, "recording", "audio/mpeg"),)


def _climbs(path: str) -> bool:
    """Whether a path leaves its folder (RFC 3986, 5.2.4), as it stands or once a server has unquoted it."""
    return ".." in unquote(path).replace("\\", "/").split("/")


def _seconds(data: dict[str, Any], name: str) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**7:
        raise UnreadableItem(f"data.{name} is not a number of seconds")
    return round(value)


def _told_at(event: dict[str, Any]) -> datetime | None:
    match event.get("timestamp"):
        case None:
            return None
        case str(given):
            try:
                return from_text(given)
            except (ValueError, OverflowError) as error:
                raise UnreadableItem(f"timestamp {given!r} is not RFC 3339") from error
        case other:
            raise UnreadableItem(f"timestamp {other!r} is not RFC 3339")
