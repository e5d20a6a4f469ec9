"""Values that events are made of: addresses, files, raw bytes, calls, and who did something."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from shared.values import dataclass

Nature = Literal["ordinary", "automatic", "list", "bounce", "complaint", "receipt", "loop", "spam"]


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a person: kind is email, phone, telegram, or a channel kind without addresses of its own."""

    kind: str
    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file kept by its content."""

    sha256: str
    size: int
    name: str
    media_type: str
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that still lies with the provider, by the channel's own `ref`."""

    ref: str
    name: str
    media_type: str
    size: int | None = None
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """The item as the channel gave it, kept by its content."""

    sha256: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Leg:
    """One telephone that a call rang: an extension, a number or a person, with its last reported state.

    `sequence` and `at` are the provider's number and time of that report; consulting: it talks to a colleague.
    """

    id: str
    to: str = ""
    state: Literal["ringing", "consulting", "answered", "on_hold", "ended"] = "ringing"
    sequence: int = 0
    at: datetime | None = None
    answered: bool = False
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    transferred_from: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a telephone call; times in seconds. What follows from it is in `shared.domain.call`.

    `reported` is False when the call was given up: its end was never told.
    """

    state: Literal["ringing", "answered", "finished", "missed", "failed"]
    direction: Literal["inbound", "outbound"]
    from_: str
    to: str
    answered_by: str = ""
    waiting_seconds: int | None = None
    talking_seconds: int | None = None
    recording: str = ""
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    legs: tuple[Leg, ...] = ()
    reported: bool = True


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a customer, an operator, or the system by itself."""

    kind: Literal["customer", "operator", "system"]
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryNotice:
    """What a message says of messages of ours; fields as in `contracts.inbound`."""

    external_ids: tuple[str, ...]
    state: Literal["delivered", "read", "delayed", "bounced", "complained"]
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None
