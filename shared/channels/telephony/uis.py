"""PURE: UIS and CoMagic: notifications whose JSON the customer writes in the cabinet, from the provider's variables.

UIS signs nothing: what protects the channel is the secret `?token=` in its address, compared in constant time. So
nothing in the body is protected: who knows the address can tell of any call. What is told is believed of the call that
it names (call_session_id) and of nothing else, and a recording is fetched only from UIS's own hosts. A notification
that is repeated has the same content, so the same key, and changes nothing.

The templates need notification_name or notification_mnemonic, notification_time, call_session_id,
contact_phone_number and virtual_phone_number; "Call finished" needs talk_time_duration to be told from a lost call;
"Call recording completed" needs file_link.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qs

from shared.channels.telephony.report import Report, State, json_object, local_time, number, parsed, text, whole
from shared.channels.telephony.webhook import Admitted, Webhook, content_key, not_authentic
from shared.connector import BadInput, Channel
from shared.contracts.inbound import Call, Leg, RemoteFile
from shared.parsed import Parsed, RawItem, UnreadableItem

TOKEN_CHARACTERS = 16

Happening = Literal["came", "went_out", "rings", "talks", "talked", "ended", "lost", "recorded"]
_BY_WORDS: tuple[tuple[Happening, str], ...] = (
    ("lost", r"lost|missed|потерян|пропущен"),
    ("recorded", r"record|запис"),
    ("talked", r"(talk|разговор).*(finish|end|заверш|оконч|конец)|(finish|end|заверш|оконч|конец).*(talk|разговор)"),
    ("talks", r"talk|разговор|connected|answered|accept|отвечен|принят"),
    ("rings", r"wait|ожидан"),
    ("ended", r"finish|end|complet|release|заверш|оконч|конец"),
    ("went_out", r"out|исход"),
    ("came", r"\bin|вход"),
)
"""How the provider names its events in its two languages; the first that fits."""
_BY_FIELDS: tuple[tuple[Happening, str], ...] = (
    ("recorded", "file_link"),
    ("ended", "total_time_duration"),
    ("lost", "employee_ids"),
    ("talked", "talk_time_duration"),
    ("talks", "leg_ids"),
    ("rings", "leg_id"),
    ("went_out", "employee_phone_number"),
    ("came", "scenario_name"),
)
"""Where the name says nothing, the variables do that only this event has."""


def problems(settings: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the token."""
    if len(settings["token"]) < TOKEN_CHARACTERS:
        return [f"token must have {TOKEN_CHARACTERS} characters or more: nothing else protects the address"]
    return []


def admit(webhook: Webhook, settings: Mapping[str, str]) -> Admitted:
    """Check the token in the address. Raises BadInput: 401, or 400 if the body is no JSON object."""
    given = parse_qs(webhook.query).get("token", [""])
    if len(given) != 1 or not hmac.compare_digest(given[0].encode("utf-8", "replace"), settings["token"].encode()):
        raise not_authentic("The address needs the channel's token: ?token=...")
    if json_object(webhook.body) is None:
        raise BadInput(400, "Broken JSON", "The body must be a JSON object: check the template of the notification.")
    return Admitted(content_key(webhook.body), "application/json", {})


def read(item: RawItem, channel: Channel) -> Parsed:
    """Return the call as this notification tells it. Raises UnreadableItem."""
    event = json_object(item.data)
    if event is None:
        raise UnreadableItem("not a JSON object")
    return parsed(_report(event, channel.settings), item, channel)


# --- what is told -----------------------------------------------------------------------------------------


def _report(event: Mapping[str, Any], settings: Mapping[str, str]) -> Report:
    happening, country = _happening(event), settings["country"]
    at = local_time(event, "notification_time", settings["timezone"])
    is_ours = text(event, "direction").lower() == "out" or happening == "went_out"
    client, ours = number(event, "contact_phone_number", country), number(event, "virtual_phone_number", country)
    state = _state(happening, event, is_ours=is_ours)
    is_end = happening in ("ended", "lost")
    recording = text(event, "file_link") if happening == "recorded" else ""
    call = Call(
        state=state,
        direction="outbound" if is_ours else "inbound",
        from_=ours if is_ours else client,
        to=client if is_ours else ours,
        answered_by=_operator(event) if state == "finished" else "",
        waiting_seconds=whole(event, "wait_time_duration") if is_end else None,
        talking_seconds=whole(event, "talk_time_duration") if is_end else None,
        recording=recording,
        started_at=at if happening in ("came", "went_out") else None,
        answered_at=at if happening == "talks" else None,
        ended_at=at if is_end else None,
        legs=_legs(happening, event, at),
    )
    files = (RemoteFile(recording, "recording.mp3", "audio/mpeg"),) if recording else ()
    is_told = "contact_phone_number" in event
    return Report(text(event, "call_session_id"), call, client if is_told else None, at, files)


def _happening(event: Mapping[str, Any]) -> Happening:
    for name in ("notification_mnemonic", "notification_name"):
        words = re.sub(r"[\W_]+", " ", text(event, name).lower())
        for happening, pattern in _BY_WORDS:
            if re.search(pattern, words):
                return happening
    for happening, field in _BY_FIELDS:
        if field in event:
            return happening
    raise UnreadableItem("notification_name and notification_mnemonic name no event of a call")


def _state(happening: Happening, event: Mapping[str, Any], *, is_ours: bool) -> State:
    """A call also "finishes" that nobody took: then nothing was talked."""
    nobody: State = "failed" if is_ours else "missed"
    match happening:
        case "lost":
            return nobody
        case "ended":
            return nobody if whole(event, "talk_time_duration") == 0 else "finished"
        case "talks" | "talked":
            return "answered"
        case _:
            return "ringing"


def _legs(happening: Happening, event: Mapping[str, Any], at: datetime | None) -> tuple[Leg, ...]:
    """The employee whose telephone rings or who talks."""
    who = _operator(event)
    if not who or happening not in ("rings", "talks", "talked"):
        return ()
    id_ = text(event, "employee_id") or who
    if happening == "rings":
        return (Leg(id_, who, "ringing", at=at, started_at=at),)
    if happening == "talks":
        return (Leg(id_, who, "answered", at=at, answered=True, answered_at=at),)
    return (Leg(id_, who, "ended", at=at, answered=True, ended_at=at),)


def _operator(event: Mapping[str, Any]) -> str:
    return text(event, "employee_full_name") or text(event, "employee_id")
