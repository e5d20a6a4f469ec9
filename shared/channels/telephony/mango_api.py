"""Mango Office's API of the virtual PBX: statistics, recordings, call back. Every request is a signed form.

Statistics come in two steps: a request gives a key, and until the result for it is ready the answer is 204. It is CSV
in the order of the fields asked for; each row is one leg, `entry_id` is the call.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from shared.channels.telephony import mango, twilio
from shared.channels.telephony.api import Answer, Api
from shared.channels.telephony.provider_api import (
    HistoryRefused,
    ProviderApi,
    Ring,
    Told,
    check_sent,
    refuse_unless_ok,
)
from shared.connector import Channel, SenderBroken, SendFateUnknown, SendRefused

FIELDS = (
    "records", "start", "finish", "answer", "from_extension", "from_number", "to_extension", "to_number",
    "disconnect_reason", "line_number", "entry_id",
)  # fmt: skip
READY_SECONDS = 60.0
POLL_SECONDS = 1.0
_DONE = "1000"
_NOT_US = {"3102", "3104", "3105"}
"""Wrong key, wrong signature, key expired."""
Row = Mapping[str, str]


async def history(api: Api, channel: Channel, since: datetime, until: datetime) -> list[Told]:
    """Return a summary of each call, and its recordings."""
    asked = {"date_from": int(since.timestamp()), "date_to": int(until.timestamp()), "fields": ",".join(FIELDS)}
    answer = await _post(api, channel, "/vpbx/stats/request", asked)
    refuse_unless_ok(answer, "Mango")
    key = answer.object().get("key")
    if not isinstance(key, str):
        raise HistoryRefused(f"Mango answered {answer.body[:200].decode('utf-8', 'replace')}")
    rows = csv.reader(io.StringIO((await _ready(api, channel, key)).decode("utf-8", "replace")), delimiter=";")
    calls: dict[str, list[Row]] = {}
    for row in rows:
        if len(row) == len(FIELDS) and row[1].isdigit():
            leg = dict(zip(FIELDS, (value.strip() for value in row), strict=True))
            calls.setdefault(leg["entry_id"], []).append(leg)
    return [told for entry_id, legs in calls.items() for told in _told(channel, entry_id, legs)]


async def recording(api: Api, channel: Channel, ref: str) -> Answer:
    """The answer is a redirect to the file, good for once."""
    form, headers = _signed(channel, {"recording_id": ref, "action": "download"})
    return await api.download("POST", "/vpbx/queries/recording/post", data=form, headers=headers)


async def ring(api: Api, channel: Channel, ring: Ring) -> str:
    if ring.operator.startswith("+") or len(ring.operator) > 7:
        raise SendRefused("Mango rings an employee by the extension: give the operator one, as 101.")
    asked: dict[str, Any] = {"command_id": ring.command_id, "from": {"extension": ring.operator}}
    asked["to_number"] = ring.client.removeprefix("+")
    if line := channel.settings["caller_number"].removeprefix("+"):
        asked["line_number"] = line
    answer = await _post(api, channel, "/vpbx/commands/callback", asked)
    given = answer.object()
    check_sent(answer, "Mango", str(given.get("message", "")))
    code = str(given.get("result", ""))
    if code == _DONE:
        return ring.command_id
    words = f"Mango refused the call with code {code or answer.body[:80]!r}"
    raise (SenderBroken if code in _NOT_US else SendFateUnknown if code.startswith("5") else SendRefused)(words, code)


# --- statistics -------------------------------------------------------------------------------------------


async def _ready(api: Api, channel: Channel, key: str) -> bytes:
    for _ in range(round(READY_SECONDS / POLL_SECONDS)):
        answer = await _post(api, channel, "/vpbx/stats/result", {"key": key})
        if answer.status != 204:
            refuse_unless_ok(answer, "Mango")
            return answer.body
        await asyncio.sleep(POLL_SECONDS)
    raise HistoryRefused(f"Mango's statistics were not ready within {READY_SECONDS:.0f} s")


def _told(channel: Channel, entry_id: str, legs: list[Row]) -> list[Told]:
    """A call between colleagues is nobody's on a timeline."""
    legs = sorted(legs, key=lambda leg: (_number(leg, "start"), _number(leg, "finish")))
    if legs[0]["from_extension"] and (legs[0]["to_extension"] or not legs[0]["to_number"]):
        return []
    told = [_webhook(channel, "events/summary", _summary(entry_id, legs))]
    recordings = [id_ for leg in legs for id_ in re.findall(r"[^\s,\[\]]+", leg["records"])]
    for id_ in dict.fromkeys(recordings):
        added = {"entry_id": entry_id, "recording_id": id_, "timestamp": _number(legs[-1], "finish")}
        told.append(_webhook(channel, "events/record/added", added))
    return told


def _summary(entry_id: str, legs: list[Row]) -> dict[str, Any]:
    first, answered = legs[0], [leg for leg in legs if _number(leg, "answer")]
    last, is_ours = (answered or legs)[-1], bool(first["from_extension"])
    return {
        "entry_id": entry_id,
        "call_direction": 2 if is_ours else 1,
        "from": {"extension": first["from_extension"], "number": first["from_number"]},
        "to": {"extension": last["to_extension"], "number": last["to_number"]},
        "line_number": next((leg["line_number"] for leg in legs if leg["line_number"]), ""),
        "create_time": _number(first, "start"),
        "talk_time": min((_number(leg, "answer") for leg in answered), default=0),
        "end_time": max(_number(leg, "finish") for leg in legs),
        "entry_result": int(bool(answered)),
        "disconnect_reason": last["disconnect_reason"],
    }


def _number(leg: Row, name: str) -> int:
    return int(leg[name]) if leg[name].isascii() and leg[name].isdigit() else 0


# --- signing ----------------------------------------------------------------------------------------------


def _webhook(channel: Channel, event: str, fields: Mapping[str, Any]) -> Told:
    return Told(_signed(channel, fields)[0], twilio.FORM, {"event": event})


async def _post(api: Api, channel: Channel, path: str, fields: Mapping[str, Any]) -> Answer:
    form, headers = _signed(channel, fields)
    return await api.ask("POST", path, data=form, headers=headers)


def _signed(channel: Channel, fields: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    text = json.dumps(fields, separators=(",", ":"))
    sign = mango.sign(text.encode(), channel.settings)
    form = {"vpbx_api_key": channel.settings["api_key"], "sign": sign, "json": text}
    return urlencode(form).encode(), {"Content-Type": twilio.FORM}


API = ProviderApi(
    "https://app.mango-office.ru", ("mango-office.ru",), history, recording, ring, keeps_recordings_back=True
)
