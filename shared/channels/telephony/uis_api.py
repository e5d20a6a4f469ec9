"""UIS and CoMagic: Data API 2.0 for history, Call API 4.0 for calls, both JSON-RPC with an access token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.channels.telephony.api import Answer, Api
from shared.channels.telephony.provider_api import HistoryRefused, ProviderApi, Ring, Told, check_sent, refuse_unless_ok
from shared.channels.telephony.report import in_zone
from shared.connector import Channel, SendDelayed, SenderBroken, SendRefused

DATA, CALL = "https://dataapi.uiscom.ru", "https://callapi.uiscom.ru"
MEDIA = "https://app.uiscom.ru/system/media/talk"
HOSTS = ("uiscom.ru", "comagic.ru", "callgear.com", "callgear.ae")
PAGE = 1000
SHORTEST = 7
"""Digits of a number that is no extension."""
FIELDS = (
    "id", "start_time", "finish_time", "direction", "is_lost", "contact_phone_number", "virtual_phone_number",
    "talk_duration", "wait_duration", "total_duration", "last_answered_employee_id",
    "last_answered_employee_full_name", "call_records",
)  # fmt: skip
_NOT_US = ("access_token_invalid", "access_token_expired", "access_token_blocked", "auth_error", "ip_not_whitelisted")
_BUSY = ("limit_exceeded", "minute_limit_exceeded", "internal_error")


async def history(api: Api, channel: Channel, since: datetime, until: datetime) -> list[Told]:
    """Return the end of each call, and its recordings."""
    zone, told, offset = channel.settings["timezone"], [], 0
    while True:
        asked: dict[str, Any] = {"date_from": in_zone(since, zone), "date_till": in_zone(until, zone)}
        asked["fields"] = list(FIELDS)
        asked |= {"limit": PAGE, "offset": offset, "sort": [{"field": "id", "order": "asc"}]}
        answer = await _ask(api, channel, DATA, "/v2.0", "get.calls_report", asked)
        refuse_unless_ok(answer, "UIS")
        given = answer.object()
        if "error" in given:
            raise HistoryRefused(f"UIS: {_error(given)[1]}")
        calls = given.get("result", {}).get("data") or []
        told += [one for call in calls for one in _told(channel, call)]
        if len(calls) < PAGE:
            return told
        offset += PAGE


async def recording(api: Api, channel: Channel, ref: str) -> Answer:
    """The link itself is the secret."""
    return await api.download("GET", ref)


async def ring(api: Api, channel: Channel, ring: Ring) -> str:
    if not channel.settings["access_token"] or not channel.settings["caller_number"]:
        raise SendRefused("To call through UIS the channel needs access_token and caller_number.")
    if len(ring.operator) < SHORTEST:
        raise SendRefused("UIS rings whole numbers only: give the operator one in the form +79161234567.")
    asked = {
        "first_call": "operator",
        "switch_at_once": True,
        "virtual_phone_number": channel.settings["caller_number"].removeprefix("+"),
        "contact": ring.client.removeprefix("+"),
        "operator": ring.operator.removeprefix("+"),
        "external_id": ring.command_id,
    }
    answer = await _ask(api, channel, CALL, "/v4.0", "start.simple_call", asked)
    given = answer.object()
    check_sent(answer, "UIS", _error(given)[1])
    if "error" in given:
        mnemonic, words = _error(given)
        kind = SenderBroken if mnemonic in _NOT_US else SendDelayed if mnemonic in _BUSY else SendRefused
        raise kind(f"UIS: {words}", mnemonic)
    return str(given.get("result", {}).get("data", {}).get("call_session_id", "")) or ring.command_id


async def _ask(api: Api, channel: Channel, base: str, path: str, method: str, asked: Mapping[str, Any]) -> Answer:
    """An address of one's own stands for both APIs."""
    params = {"access_token": channel.settings["access_token"], **asked}
    body = json.dumps({"jsonrpc": "2.0", "id": "okno", "method": method, "params": params}).encode()
    address = path if channel.settings["api_url"] else base + path
    return await api.ask("POST", address, data=body, headers={"Content-Type": "application/json; charset=UTF-8"})


def _error(given: Mapping[str, Any]) -> tuple[str, str]:
    error = given.get("error")
    if not isinstance(error, dict):
        return "", ""
    data = error.get("data")
    return str(data.get("mnemonic", "")) if isinstance(data, dict) else "", str(error.get("message", ""))


def _told(channel: Channel, call: Mapping[str, Any]) -> list[Told]:
    """A report of a call that is over, in the words of the templates."""
    common = {
        "call_session_id": call.get("id"),
        "contact_phone_number": call.get("contact_phone_number"),
        "virtual_phone_number": call.get("virtual_phone_number"),
        "notification_time": call.get("finish_time") or call.get("start_time"),
        "direction": call.get("direction"),
        "employee_id": call.get("last_answered_employee_id"),
        "employee_full_name": call.get("last_answered_employee_full_name"),
    }
    began = {**common, "notification_time": call.get("start_time")}
    began["notification_name"] = "Outbound call" if call.get("direction") == "out" else "Inbound call"
    ended = {
        **common,
        "notification_name": "Lost call" if call.get("is_lost") else "Call finished",
        "talk_time_duration": call.get("talk_duration"),
        "wait_time_duration": call.get("wait_duration"),
        "total_time_duration": call.get("total_duration"),
    }
    media = channel.settings["api_url"].rstrip("/") + "/system/media/talk" if channel.settings["api_url"] else MEDIA
    recorded = [
        {**common, "notification_name": "Call recording completed", "file_link": f"{media}/{call.get('id')}/{id_}/"}
        for id_ in call.get("call_records") or []
    ]
    return [
        Told(json.dumps(one, ensure_ascii=False).encode(), "application/json", {}) for one in [began, ended, *recorded]
    ]


API = ProviderApi(DATA, HOSTS, history, recording, ring)
