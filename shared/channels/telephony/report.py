"""PURE: what one webhook tells of a call -> `Parsed`, and the checks that all providers' values go through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.connector import Channel
from shared.contracts.inbound import Address, Call, RemoteFile
from shared.parsed import Parsed, RawItem, UnreadableItem
from shared.phone_numbers import international

CALL_BACK = "A call is not answered in writing: call back {number}."
WITHHELD = "The number was withheld: there is nobody to call back."
ID_CHARACTERS = 255
_TEXT_CHARACTERS = 2000

State = Literal["ringing", "answered", "finished", "missed", "failed"]


@dataclass(frozen=True, slots=True)
class Report:
    """What one webhook tells. `client`: the other side's number; empty: withheld; None: this webhook names nobody."""

    call_id: str
    call: Call
    client: str | None
    occurred_at: datetime | None
    """None: the webhook does not say when; then it was when it came."""
    remote_files: tuple[RemoteFile, ...] = ()


def parsed(report: Report, item: RawItem, channel: Channel) -> Parsed:
    """Return the report as an item of the call. Raises UnreadableItem.

    Every report of a call is known by, refers to and proves the call's id, which only the provider knows: so one
    without the client's number finds the call that another has opened.
    """
    if not 0 < len(report.call_id) <= ID_CHARACTERS or not report.call_id.isprintable():
        raise UnreadableItem(f"a call's id must have 1 to {ID_CHARACTERS} characters")
    call, client, call_key = report.call, report.client or "", key_of(channel.id, report.call_id)
    ours = call.to if call.direction == "inbound" else call.from_
    return Parsed(
        external_id=report.call_id,
        dedup_key=f"{report.call_id}/{item.key}",
        sender=Address("phone", client) if client else Address("telephony", report.call_id),
        occurred_at=min(report.occurred_at or item.received_at, item.received_at),
        kind="call",
        direction=call.direction,
        recipients=(ours,) if ours else (),
        cannot_reply=CALL_BACK.format(number=client) if client else WITHHELD,
        refers_to=(call_key,),
        known_as=(call_key,),
        thread_key=client or report.call_id,
        call=call,
        remote_files=report.remote_files,
        proves=(call_key,),
        awaits_call=report.client is None,
    )


def json_object(data: bytes) -> dict[str, Any] | None:
    """Return None for what is no JSON object."""
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def key_of(channel_id: UUID, call_id: str) -> str:
    """Return the id by which the reports of a call refer to each other."""
    return f"call:{channel_id}/{call_id}"


# --- values -----------------------------------------------------------------------------------------------


def text(fields: Mapping[str, Any], name: str) -> str:
    """Return a text or number as text, empty where there is none. Raises UnreadableItem."""
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > _TEXT_CHARACTERS:
        raise UnreadableItem(f"{name} is not a text")
    stripped = str(value).strip()
    if not stripped.isprintable():
        raise UnreadableItem(f"{name} has control characters")
    return stripped


def section(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object within the object, empty where there is none. Raises UnreadableItem."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnreadableItem(f"{name} is not an object")
    return value


def whole(fields: Mapping[str, Any], name: str) -> int | None:
    """Return a number given as number or text, None where there is none. Raises UnreadableItem."""
    digits = text(fields, name)
    if not digits:
        return None
    if not (digits.isascii() and digits.isdigit() and len(digits) < 13):
        raise UnreadableItem(f"{name} is not a number")
    return int(digits)


def unix_time(fields: Mapping[str, Any], name: str) -> datetime | None:
    """Return the moment of Unix seconds; 0 and nothing mean none. Raises UnreadableItem."""
    number = whole(fields, name)
    try:
        return datetime.fromtimestamp(number, UTC) if number else None
    except (ValueError, OverflowError, OSError) as error:
        raise UnreadableItem(f"{name} is no time") from error


def local_time(fields: Mapping[str, Any], name: str, zone: str) -> datetime | None:
    """Return the moment of `2026-11-21 14:26:47` on the account's clock. Raises UnreadableItem."""
    given = text(fields, name)
    if not given:
        return None
    try:
        at = datetime.fromisoformat(given)
        return (at if at.tzinfo else at.replace(tzinfo=_zone(zone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnreadableItem(f"{name} is no time: {given!r}") from error


def in_zone(at: datetime, zone: str) -> str:
    """Return a moment as the account's clock shows it: `2026-11-21 14:26:47`."""
    return f"{at.astimezone(_zone(zone)):%Y-%m-%d %H:%M:%S}"


def number(fields: Mapping[str, Any], name: str, country: str) -> str:
    """Return a number in E.164, an internal one as it is, empty where there is none. Raises UnreadableItem."""
    return international(text(fields, name), country)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
