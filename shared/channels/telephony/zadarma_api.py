"""Zadarma's API v1: PBX statistics, recordings, call back. https://zadarma.com/en/support/api/

Authorization: the key, and the base64 of the hex HMAC-SHA1 under the secret of path, sorted query and the query's MD5.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from shared.channels.telephony import form
from shared.channels.telephony.api import Answer, Api
from shared.channels.telephony.provider_api import (
    HistoryRefused,
    ProviderApi,
    Ring,
    Told,
    check_sent,
    refuse_unless_ok,
)
from shared.channels.telephony.report import in_zone
from shared.connector import Channel, SendRefused

PAGE = 1000
SPAN = timedelta(days=30)
"""The API gives a month at once."""
EXTENSION_DIGITS = 6
FORM = "application/x-www-form-urlencoded"


async def history(api: Api, channel: Channel, since: datetime, until: datetime) -> list[Told]:
    """Return the end of each call, and its recording."""
    told: list[Told] = []
    while since < until:
        end = min(until, since + SPAN)
        told += await _span(api, channel, since, end)
        since = end
    return told


async def recording(api: Api, channel: Channel, ref: str) -> Answer:
    """The API gives a link that is good for a while."""
    answer = await _get(api, channel, "/v1/pbx/record/request/", {"call_id": ref, "lifetime": "1800"})
    given = answer.object()
    links = given.get("links")
    link = given.get("link") or (links[0] if isinstance(links, list) and links else None)
    return await api.download("GET", link) if answer.status == 200 and isinstance(link, str) else _failed(answer)


async def ring(api: Api, channel: Channel, ring: Ring) -> str:
    """Zadarma gives the call no id yet."""
    query = {"from": ring.operator, "to": ring.client}
    answer = await _get(api, channel, "/v1/request/callback/", query)
    given = answer.object()
    check_sent(answer, "Zadarma", str(given.get("message", "")))
    if given.get("status") != "success":
        raise SendRefused(f"Zadarma: {given.get('message', 'the call was refused')}")
    return ring.command_id


def _failed(answer: Answer) -> Answer:
    """A refusal with status 200 is one all the same."""
    return Answer(404 if answer.status == 200 else answer.status, answer.body, answer.headers)


async def _span(api: Api, channel: Channel, since: datetime, until: datetime) -> list[Told]:
    zone, told, skip = channel.settings["timezone"], [], 0
    while True:
        query = {"start": in_zone(since, zone), "end": in_zone(until, zone), "version": "2"}
        query |= {"skip": str(skip), "limit": str(PAGE)}
        answer = await _get(api, channel, "/v1/statistics/pbx/", query)
        refuse_unless_ok(answer, "Zadarma")
        given = answer.object()
        if given.get("status") != "success":
            raise HistoryRefused(f"Zadarma: {given.get('message', 'no statistics')}")
        calls = given.get("stats") or []
        told += [one for call in calls for one in _told(call)]
        if len(calls) < PAGE:
            return told
        skip += PAGE


def _told(call: Mapping[str, Any]) -> list[Told]:
    """`clid` may have a name before the number: "Anna" <79161234567>."""
    id_, clid = str(call.get("pbx_call_id", "")), str(call.get("clid", ""))
    number = found[1] if (found := re.search(r"<([^>]*)>", clid)) else clid
    common = {
        "call_start": str(call.get("callstart", "")),
        "pbx_call_id": id_,
        "duration": str(call.get("seconds", 0)),
        "disposition": str(call.get("disposition", "")),
    }
    sip, destination = str(call.get("sip", "")), str(call.get("destination", ""))
    if id_.startswith("out_"):
        fields = {"event": "NOTIFY_OUT_END", "internal": sip, "destination": destination, "caller_id": number}
    else:
        is_extension = len(destination) <= EXTENSION_DIGITS
        fields = {"event": "NOTIFY_END", "caller_id": number, "called_did": "" if is_extension else destination}
        fields["internal"] = destination if is_extension else sip if len(sip) <= EXTENSION_DIGITS else ""
    fields |= common
    told = [_webhook(fields)]
    if str(call.get("is_recorded", "")).lower() in ("1", "true"):
        recorded = {"event": "NOTIFY_RECORD", "pbx_call_id": id_, "call_id_with_rec": str(call.get("call_id", ""))}
        told.append(_webhook(recorded))
    return told


def _webhook(fields: dict[str, str]) -> Told:
    return Told(form.encode(fields), FORM, {})


async def _get(api: Api, channel: Channel, path: str, query: Mapping[str, str]) -> Answer:
    text = urlencode(sorted(query.items()))
    covered = path + text + hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    digest = hmac.new(channel.settings["api_secret"].encode(), covered.encode(), "sha1").hexdigest()
    signature = base64.b64encode(digest.encode()).decode()
    headers = {"Authorization": f"{channel.settings['api_key']}:{signature}"}
    return await api.ask("GET", f"{path}?{text}", headers=headers)


API = ProviderApi("https://api.zadarma.com", ("zadarma.com",), history, recording, ring, keeps_recordings_back=True)
