"""PURE: the generic provider: calls told by webhooks signed as https://www.standardwebhooks.com says.

Headers: `webhook-id`, the same when the webhook is repeated; `webhook-timestamp`, Unix seconds, within five minutes
of our clock; `webhook-signature`, one or more `v1,BASE64` separated by spaces, each the HMAC-SHA256 of
`{id}.{timestamp}.{body}` under the channel's secret (`whsec_` and the key in base64). The body, JSON:

    {"type": "call.ringing",                     or call.answered, call.finished, call.missed, call.failed
     "timestamp": "2026-11-21T09:30:00Z",        when it happened, RFC 3339
     "data": {"call_id": "c-17",                 the same in all webhooks of a call
              "from": "+79161234567", "to": "+74951234567",
              "direction": "inbound",            or outbound: a call we made
              "answered_by": "101",              from here on optional, null when not known
              "waiting_seconds": 12, "talking_seconds": 95,
              "recording": "https://..."}}       where the recording can be fetched

The webhooks of a call may come in any order and more than once: a call's state only ever moves forward. A webhook
that is signed but cannot be understood is kept in the quarantine; one that is not JSON is refused.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from shared.channels.telephony.numbers import e164
from shared.channels.telephony.webhook import Webhook, not_authentic
from shared.clock import from_text
from shared.connector import BadInput, Channel, Parsed, RawItem, UnreadableItem
from shared.contracts.inbound import Address, Call

TOLERANCE_SECONDS = 300
KEY_BYTES = 16
"""A shorter key is refused: it could be guessed."""
CALL_BACK = "A call is not answered in writing: call back {number}."
WITHHELD = "The number was withheld: there is nobody to call back."

State = Literal["ringing", "answered", "finished", "missed", "failed"]
_STATES: tuple[State, ...] = ("ringing", "answered", "finished", "missed", "failed")
_TYPES: dict[str, State] = {f"call.{state}": state for state in _STATES}
_ID_CHARACTERS = 255


def problems(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the secret."""
    try:
        key = _key(settings["secret"])
    except ValueError:
        return ["secret must be whsec_ and a key in base64"]
    return [] if len(key) >= KEY_BYTES else [f"secret must be whsec_ and a key in base64, of {KEY_BYTES} bytes or more"]


def admit(webhook: Webhook, settings: Mapping[str, str]) -> str:
    """Check signature and time; return the webhook's id. Raises BadInput: 401, or 400 if it is signed but not JSON."""
    id_, timestamp = webhook.headers.get("webhook-id", ""), webhook.headers.get("webhook-timestamp", "")
    if not (0 < len(id_) <= _ID_CHARACTERS and timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 15):
        raise not_authentic("The headers webhook-id, webhook-timestamp and webhook-signature are needed.")
    if not _is_signed(f"{id_}.{timestamp}.".encode(), webhook, _key(settings["secret"])):
        raise not_authentic("The signature does not fit the body, the headers and the channel's secret.")
    if abs(webhook.at.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise not_authentic(f"webhook-timestamp is more than {TOLERANCE_SECONDS} seconds from the present.")
    if _object(webhook.body) is None:
        raise BadInput(400, "Broken JSON", "The body must be a JSON object.")
    return id_


def read(item: RawItem, channel: Channel) -> Parsed:
    """Return the call as this webhook tells it; `item.key` is the webhook's id. Raises UnreadableItem."""
    event = _object(item.data) or {}
    data = event.get("data")
    state = _TYPES.get(str(event.get("type")))
    if state is None or not isinstance(data, dict):
        raise UnreadableItem(f"not an event of a call: type {event.get('type')!r}")
    call_id = _text(data, "call_id")
    if not 0 < len(call_id) <= _ID_CHARACTERS:
        raise UnreadableItem(f"data.call_id must have 1 to {_ID_CHARACTERS} characters")
    call = _call(data, state, channel.settings["country"])
    client, ours = (call.from_, call.to) if call.direction == "inbound" else (call.to, call.from_)
    return Parsed(
        external_id=call_id,
        dedup_key=f"{call_id}/{item.key}",
        sender=Address("phone", client) if client else Address("telephony", call_id),
        occurred_at=_happened_at(event, item.received_at),
        kind="call",
        direction=call.direction,
        recipients=(ours,) if ours else (),
        cannot_reply=CALL_BACK.format(number=client) if client else WITHHELD,
        thread_key=client or call_id,
        call=call,
    )


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


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _call(data: dict[str, Any], state: State, country: str) -> Call:
    direction = data.get("direction")
    if direction not in ("inbound", "outbound"):
        raise UnreadableItem("data.direction must be inbound or outbound")
    return Call(
        state=state,
        direction=direction,
        from_=e164(_text(data, "from"), country),
        to=e164(_text(data, "to"), country),
        answered_by=_text(data, "answered_by"),
        waiting_seconds=_seconds(data, "waiting_seconds"),
        talking_seconds=_seconds(data, "talking_seconds"),
        recording=_text(data, "recording"),
    )


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > 2000:
        raise UnreadableItem(f"data.{name} is not a text")
    text = str(value).strip()
    if not text.isprintable():
        raise UnreadableItem(f"data.{name} has control characters")
    return text


def _seconds(data: dict[str, Any], name: str) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**7:
        raise UnreadableItem(f"data.{name} is not a number of seconds")
    return round(value)


def _happened_at(event: dict[str, Any], received_at: datetime) -> datetime:
    match event.get("timestamp"):
        case None:
            return received_at
        case str(text):
            try:
                return from_text(text)
            except (ValueError, OverflowError) as error:
                raise UnreadableItem(f"timestamp {text!r} is not RFC 3339") from error
        case other:
            raise UnreadableItem(f"timestamp {other!r} is not RFC 3339")
