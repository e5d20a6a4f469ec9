"""What the API answers with, for its OpenAPI document; the read models make it, and a test holds the two together."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from shared.domain.events import Nature


class Channel(msgspec.Struct):
    id: str
    kind: str
    name: str


class Author(msgspec.Struct):
    kind: Literal["customer", "operator", "system"]
    name: str | None
    address: str | None


class Attachment(msgspec.Struct):
    id: str
    name: str
    media_type: str
    size: int | None
    sha256: str | None
    url: str | None
    """None while it is being fetched."""
    content_id: str | None
    """What `cid:` in the message's HTML calls it."""
    state: str | msgspec.UnsetType = msgspec.UNSET
    problem: str | msgspec.UnsetType | None = msgspec.UNSET


class Message(msgspec.Struct):
    """A message, form, call or note; `nature` and `warnings` say what to beware of."""

    id: str
    conversation_id: str
    customer_id: str
    direction: Literal["inbound", "outbound"] | None
    kind: str
    channel: Channel | None
    external_id: str | None
    occurred_at: str
    recorded_at: str
    author: Author
    subject: str
    text: str
    full_text: str
    html: str | None
    attachments: list[Attachment]
    raw: dict[str, Any] | None
    delivery: dict[str, Any] | None
    fields: list[tuple[str, str]] | None
    call: dict[str, Any] | None
    nature: Nature
    warnings: list[str]
    edited_at: str | None
    versions: list[dict[str, Any]]
    """What it said before, the oldest first."""
    deleted_at: str | None
    reactions: list[dict[str, Any]]
    position: int
    erased: bool | msgspec.UnsetType = msgspec.UNSET
    """True: its content was erased, what it said is empty."""
    answers: str | msgspec.UnsetType = msgspec.UNSET
    """Of a reply whose operator picked a message to answer by name: that message's id."""


class Messages(msgspec.Struct):
    items: list[Message]
    next: str | None


class Block(msgspec.Struct):
    channel: Channel
    reason: str


class Identity(msgspec.Struct):
    """An address of a customer; `blocked`: the channels on which they have blocked us, null for none."""

    kind: str
    address: str
    name: str | None
    blocked: list[Block] | None


class Customer(msgspec.Struct):
    """A customer with all who are shown as one with them."""

    id: str
    name: str | None
    identities: list[Identity]
    created_at: str
    conversations: int
    members: list[dict[str, Any]]
    merged_into: str | None
    erased: bool
    erased_at: str | None
    position: int
    card: dict[str, Any]
