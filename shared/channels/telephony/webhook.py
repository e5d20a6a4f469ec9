"""A provider's request with all that a signature may cover, and what each provider module offers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.connector import BadInput, Channel
from shared.parsed import Parsed, RawItem


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request as it came; header names in lower case, the body untouched."""

    headers: Mapping[str, str]
    body: bytes
    at: datetime
    method: str = "POST"
    event: str = ""
    """The path below the channel's address (Mango: events/call)."""
    query: str = ""
    """The raw query, as the address had it."""
    urls: tuple[str, ...] = ()
    """The addresses under which the provider may know us, with the query."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A webhook the provider sent. `key`: the same when it is repeated; `context`: what reading needs besides."""

    key: str
    media_type: str
    context: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answered:
    """What the provider wants to hear."""

    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Provider:
    """How to deal with one provider; all functions are pure."""

    problems: Callable[[Mapping[str, str]], list[str]]
    """What is wrong with the channel's settings."""
    admit: Callable[[Webhook, Mapping[str, str]], Admitted | None]
    """Check the signature over the raw bytes; None: authentic, but no client's call. Raises BadInput 400, 401."""
    read: Callable[[RawItem, Channel], Parsed]
    """Understand an admitted webhook. Raises UnreadableItem."""
    has_paths: bool = False
    """Whether it posts to addresses below the channel's own."""
    answer: Callable[[Webhook, Mapping[str, str]], Answered | None] | None = None
    """What an admitted webhook is answered with; None: ours."""
    greet: Callable[[str], Answered | None] | None = None
    """What a GET with this query is answered with; None: it is refused."""


def not_authentic(detail: str) -> BadInput:
    """Return the refusal of a webhook that the provider did not sign."""
    return BadInput(401, "Not authentic", detail, {"WWW-Authenticate": "Webhook-Signature"})


def content_key(*parts: str | bytes) -> str:
    """Return the key of a webhook without an id of its own: a repetition has the same content, so the same key."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()[:40]
