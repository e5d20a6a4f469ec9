"""A provider's request with all that a signature may cover, and what each provider module offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.connector import BadInput, Channel, Parsed, RawItem


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request as it came; header names in lower case, the body untouched."""

    headers: Mapping[str, str]
    body: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class Provider:
    """How to deal with one provider; all three functions are pure."""

    problems: Callable[[Mapping[str, str]], list[str]]
    """What is wrong with the channel's settings."""
    admit: Callable[[Webhook, Mapping[str, str]], str]
    """Check the signature over the raw bytes; return the provider's id of this webhook. Raises BadInput 400, 401."""
    read: Callable[[RawItem, Channel], Parsed]
    """Understand an admitted webhook. Raises UnreadableItem."""


def not_authentic(detail: str) -> BadInput:
    """Return the refusal of a webhook that the provider did not sign."""
    return BadInput(401, "Not authentic", detail, {"WWW-Authenticate": "Webhook-Signature"})
