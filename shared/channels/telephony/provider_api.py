"""What a provider's API can do for a channel: tell of past calls, give a recording, ring an operator and a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.channels.telephony.api import Answer, Api
from shared.connector import Channel, SendDelayed, SenderBroken, SendFateUnknown, SendRefused


@dataclass(frozen=True, slots=True)
class Told:
    """A past call as a webhook would have told it."""

    body: bytes
    media_type: str
    context: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ring:
    """Whom to ring: the operator first, then the client. `command_id` names this attempt."""

    operator: str
    client: str
    command_id: str


@dataclass(frozen=True, slots=True)
class ProviderApi:
    """One provider's API: where it is, and the three things asked of it."""

    base: str
    hosts: tuple[str, ...]
    history: Callable[[Api, Channel, datetime, datetime], Awaitable[list[Told]]]
    """Calls that began between two moments. Raises HistoryRefused and what `Api.ask` raises."""
    recording: Callable[[Api, Channel, str], Awaitable[Answer]]
    """The file of a `RemoteFile.ref`. Raises what `Api.download` raises."""
    ring: Callable[[Api, Channel, Ring], Awaitable[str]]
    """Start a call; return its id, or ours where the provider gives none. Raises SendError and what `Api.ask` does."""
    keeps_recordings_back: bool = False
    """Whether "not found" may also mean "not ready yet"."""


class HistoryRefused(Exception):
    """The provider did not give its history; the text says why."""


def refuse_unless_ok(answer: Answer, who: str) -> None:
    """Raise HistoryRefused for an answer that is not 200."""
    if answer.status != 200:
        raise HistoryRefused(f"{who} answered {answer.status}: {answer.body[:200].decode('utf-8', 'replace')}")


def check_sent(answer: Answer, who: str, reason: str) -> None:
    """Raise the SendError of an answer that is no success. `reason`: the provider's words."""
    code, words = str(answer.status), f"{who}: {reason or answer.status}"
    if answer.status in (401, 403):
        raise SenderBroken(words, code)
    if answer.status in (429, 503):
        raise SendDelayed(words, code, answer.retry_after_seconds)
    if answer.status >= 500:
        raise SendFateUnknown(words, code)
    if answer.status >= 300:
        raise SendRefused(words, code)
