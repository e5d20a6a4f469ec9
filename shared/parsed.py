"""What `parse` takes and gives: one inbound item, first as the channel gave it, then as it was understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts.inbound import About, Address, Call, Nature, RemoteFile
from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class RawItem:
    """One inbound item as the channel gave it, before anyone tried to understand it."""

    data: bytes
    media_type: str
    received_at: datetime
    key: str
    """The channel's own handle for this item (UIDVALIDITY.UID, submission id): used when parsing fails."""
    context: Mapping[str, str] = field(default_factory=dict)
    """What is needed besides the bytes to understand them (content type, query, remote address)."""


@dataclass(frozen=True, slots=True)
class ParsedFile:
    name: str
    media_type: str
    data: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What `parse` understood. Everything the provider gave that has no field here stays in the raw bytes."""

    external_id: str
    sender: Address
    occurred_at: datetime
    dedup_key: str = ""
    """Tells duplicates from different items with the same external id; the external id itself when empty."""
    same_as: tuple[str, ...] = ()
    """Further dedup keys under which this same item may be here already, or may still come."""
    same_later: tuple[str, ...] = ()
    """Those of copies that come after this one as a rule: only looked for."""
    kind: Literal["text", "call", "form"] = "text"
    direction: Literal["inbound", "outbound"] = "inbound"
    """outbound: a call we made; written mail of ours is never read back as inbound."""
    subject: str = ""
    text: str = ""
    """What is new."""
    full_text: str = ""
    """With the quoted history; empty when it equals `text`."""
    html: str = ""
    """Sanitised; empty when there is none."""
    recipients: tuple[str, ...] = ()
    reply_to: Address | None = None
    """Where an answer goes if not to `sender`; None with `cannot_reply` empty means the sender."""
    reply_channel: UUID | None = None
    """The channel the answer leaves through if not the one it came in by (a form answered by mail)."""
    cannot_reply: str = ""
    """Why no answer is possible, in words for the operator; empty when it is."""
    refers_to: tuple[str, ...] = ()
    """External ids of messages this one answers, the nearest first."""
    known_as: tuple[str, ...] = ()
    """External ids under which others may refer to this message; empty where nobody can."""
    thread_key: str = ""
    """The provider's own thread (chat id): messages with the same key are one conversation."""
    fields: tuple[tuple[str, str], ...] = ()
    call: Call | None = None
    files: tuple[ParsedFile, ...] = ()
    identities: tuple[Address, ...] = ()
    """Further addresses of the same client (phone typed into a form): claimed, not verified."""
    vouched: tuple[Address, ...] = ()
    """Further addresses that the channel itself vouches for (a Telegram contact card of the sender's own)."""
    nature: Nature = "ordinary"
    about: About | None = None
    """What the item tells of an earlier message. One about a delivery stands on the timeline too, others do not."""
    remote_files: tuple[RemoteFile, ...] = ()
    """Files to be fetched in the background by `fetch.fetch`; the message does not wait for them."""
    proves: tuple[str, ...] = ()
    """Those of `refers_to` that only somebody who got that message can know (signed by us)."""
    topic: str = ""
    """The subject without Re:, Fwd: and case, to find a conversation by; empty when it says too little."""
    part_of: str = ""
    """Items of a channel with the same text here are one message (an album), in the order of their external ids."""
    warnings: tuple[str, ...] = ()
    """Short codes of what the operator should be warned of (dmarc_failed, two_senders, claimed_sender)."""
    arrived_at: datetime | None = None
    """When the channel had it, where `occurred_at` is only what the sender's own clock says."""
    awaits_call: bool = False
    """A report that does not tell whose call it is: it is held until another one of the same call does."""


class UnreadableItem(Exception):
    """`parse` cannot understand the item; the text is shown in the quarantine. The raw bytes are kept."""
