"""Twilio's REST API 2010-04-01: Calls, Recordings. https://www.twilio.com/docs/voice/api"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from shared.channels.telephony import form, twilio
from shared.channels.telephony.api import Answer, Api
from shared.channels.telephony.provider_api import HistoryRefused, ProviderApi, Ring, Told, check_sent, refuse_unless_ok
from shared.connector import Channel, SendRefused

PAGE = 1000
_OVER = {"completed", "busy", "no-answer", "canceled", "failed"}


async def history(api: Api, channel: Channel, since: datetime, until: datetime) -> list[Told]:
    """Return the calls that have ended, and their recordings."""
    calls = [call async for call in _listed(api, channel, "Calls", since, until) if call.get("status") in _OVER]
    recordings = [one async for one in _listed(api, channel, "Recordings", since, until)]
    started_by_us = {call["sid"] for call in calls if _is_started_by_us(call, channel)}
    told = [_call(call, started_by_us) for call in calls if call["sid"] not in started_by_us]
    return told + [_recording(r) for r in recordings if r.get("status") == "completed" and r.get("call_sid")]


async def recording(api: Api, channel: Channel, ref: str) -> Answer:
    return await api.download("GET", f"{_account(channel)}/Recordings/{ref}.mp3", headers=_authorized(channel))


async def ring(api: Api, channel: Channel, ring: Ring) -> str:
    """Call the operator; TwiML that goes with it calls the client."""
    settings = channel.settings
    if not settings["caller_number"]:
        raise SendRefused("The channel has no caller_number: Twilio calls from a number of the account only.")
    if not ring.operator.startswith("+"):
        raise SendRefused("Twilio rings whole numbers only: give the operator one in the form +79161234567.")
    address = f"{settings['public_url'].rstrip('/')}/in/telephony/{channel.id}" if settings["public_url"] else ""
    twiml = twilio.our_call(ring.client, settings, address)
    body = urlencode({"To": ring.operator, "From": settings["caller_number"], "Twiml": twiml}).encode()
    headers = {**_authorized(channel), "Content-Type": twilio.FORM}
    answer = await api.ask("POST", f"{_account(channel)}/Calls.json", data=body, headers=headers)
    given = answer.object()
    check_sent(answer, "Twilio", f"{given.get('message', '')} ({given.get('code', answer.status)})")
    return str(given.get("sid", ""))


async def _listed(
    api: Api, channel: Channel, what: str, since: datetime, until: datetime
) -> AsyncIterator[Mapping[str, Any]]:
    clock = "StartTime" if what == "Calls" else "DateCreated"
    query = {f"{clock}>": _utc(since), f"{clock}<": _utc(until), "PageSize": str(PAGE)}
    page: str | None = f"{_account(channel)}/{what}.json?{urlencode(query)}"
    while page:
        answer = await api.ask("GET", page, headers=_authorized(channel))
        refuse_unless_ok(answer, "Twilio")
        given = answer.object()
        if not isinstance(listed := given.get(what.lower()), list):
            raise HistoryRefused(f"Twilio answered without {what.lower()}")
        for one in listed:
            yield one
        page = given.get("next_page_uri")


def _is_started_by_us(call: Mapping[str, Any], channel: Channel) -> bool:
    """The operator's leg of a click to call: the client's, which it dials, is the call."""
    shown = channel.settings["caller_number"]
    return bool(shown) and call.get("direction") == "outbound-api" and call.get("from") == shown


def _call(call: Mapping[str, Any], started_by_us: set[Any]) -> Told:
    """A dialled leg says whose call it belongs to; a call that lasts is left to its webhooks."""
    fields = {
        "AccountSid": call.get("account_sid"),
        "CallSid": call.get("sid"),
        "ParentCallSid": call.get("parent_call_sid"),
        "From": call.get("from"),
        "To": call.get("to"),
        "Direction": call.get("direction"),
        "CallStatus": call.get("status"),
        "CallDuration": call.get("duration"),
        "Timestamp": call.get("end_time"),
    }
    return _told(fields, twilio.OUR_CALL if call.get("parent_call_sid") in started_by_us else "")


def _recording(recording: Mapping[str, Any]) -> Told:
    fields = {
        "AccountSid": recording.get("account_sid"),
        "CallSid": recording.get("call_sid"),
        "RecordingSid": recording.get("sid"),
        "RecordingStatus": recording.get("status"),
        "RecordingStartTime": recording.get("start_time"),
    }
    return _told(fields)


def _told(fields: Mapping[str, Any], query: str = "") -> Told:
    body = form.encode({name: str(value) for name, value in fields.items() if value})
    return Told(body, twilio.FORM, {"query": query})


def _account(channel: Channel) -> str:
    return f"/2010-04-01/Accounts/{channel.settings['account_sid']}"


def _authorized(channel: Channel) -> dict[str, str]:
    given = f"{channel.settings['account_sid']}:{channel.settings['auth_token']}".encode()
    return {"Authorization": f"Basic {base64.b64encode(given).decode()}"}


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


API = ProviderApi("https://api.twilio.com", ("twilio.com",), history, recording, ring)
