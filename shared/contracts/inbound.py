"""What ingest tells the projector: a message was received, or an item could not be read. Topic okno.inbound."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.quick import named_uuid
from shared.values import dataclass

INLINE_RAW_BYTES = 64 * 1024
"""Raw bytes up to this size travel with the event; larger ones are in blobs under their sha256."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a client: kind is email, phone, telegram, or the channel kind where it has no other."""

    kind: str
    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Leg:
    """One telephone that a call rang. `sequence` and `at` are the provider's number and time of this report."""

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
    """The leg whose client this one took over."""


@dataclass(frozen=True, slots=True)
class Call:
    """A telephone call as one report tells of it; what it does not tell is left out. Times in seconds."""

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


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file in blobs, by content."""

    sha256: str
    size: int
    name: str
    media_type: str
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that still lies with the provider: ingest fetches it in the background by the channel's own `ref`."""

    ref: str
    name: str
    media_type: str
    size: int | None = None
    content_id: str = ""


Nature = Literal["ordinary", "automatic", "list", "bounce", "complaint", "receipt", "loop", "spam"]
"""What a message is: only an ordinary one (or one of a list) waits for an answer and reopens a conversation."""


# --- what an item tells of a message that is there already -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edited:
    """The client changed a message: text, html and files of this item are its new version."""

    external_id: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """The client deleted messages."""

    external_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reacted:
    """All reactions of the client to a message as they are now; none: withdrawn."""

    external_id: str
    reactions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReachChanged:
    """The client blocked us, or let us write again; `reason` is for the operator."""

    reachable: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ThreadRenamed:
    """The provider gave a thread another key: from now on it is this item's `thread_key`."""

    was: str


@dataclass(frozen=True, slots=True)
class DeliveryNotice:
    """What somebody says of messages of ours (DSN, receipt, complaint). `external_ids`: as they were sent under.

    delayed and a temporary bounce change nothing for good. `code` is the provider's, `error` for the operator,
    `reason` a word for its class (mailbox_full, user_unknown), `hard`: the address never works (None: not said).
    """

    external_ids: tuple[str, ...]
    state: Literal["delivered", "read", "delayed", "bounced", "complained"]
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What an item tells of something that is there already: exactly one of these is given."""

    edited: Edited | None = None
    deleted: Deleted | None = None
    reacted: Reacted | None = None
    reach: ReachChanged | None = None
    renamed: ThreadRenamed | None = None
    delivery: DeliveryNotice | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """The item as the channel gave it: inline up to INLINE_RAW_BYTES, else `data` is None and it is in blobs."""

    sha256: str
    size: int
    media_type: str
    data: bytes | None


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A client's message; field meanings as in `shared.connector.Parsed`. `id` is the key against duplicates."""

    id: UUID
    channel_id: UUID
    channel_kind: str
    external_id: str
    occurred_at: datetime
    received_at: datetime
    sender: Address
    kind: Literal["text", "call", "form"]
    direction: Literal["inbound", "outbound"]
    subject: str
    text: str
    full_text: str
    html: str
    recipients: tuple[str, ...]
    reply_to: Address | None
    reply_channel: UUID | None
    cannot_reply: str
    refers_to: tuple[str, ...]
    known_as: tuple[str, ...]
    thread_key: str
    fields: tuple[tuple[str, str], ...]
    call: Call | None
    files: tuple[FileRef, ...]
    identities: tuple[Address, ...]
    raw: Raw
    nature: Nature = "ordinary"
    about: About | None = None
    remote_files: tuple[RemoteFile, ...] = ()
    proves: tuple[str, ...] = ()
    topic: str = ""
    warnings: tuple[str, ...] = ()
    vouched: tuple[Address, ...] = ()
    same_as: tuple[UUID, ...] = ()
    """Ids under which this same item may have come or may still come: of all of them one is received."""
    part_of: str = ""
    awaits_call: bool = False
    same_later: tuple[UUID, ...] = ()
    key: str = ""
    """The channel's own handle of the item, where it is not `external_id`."""
    context: dict[str, str] = field(default_factory=dict)
    """What reading the raw bytes needs besides: should the message stand in the quarantine, it can be read again."""
    arrived_at: datetime | None = None
    """When the channel had it, where `occurred_at` is only what the sender's own clock says."""


@dataclass(frozen=True, slots=True)
class InboundUnreadable:
    """An item nobody could understand: it goes to the quarantine with its raw bytes and the reason."""

    id: UUID
    channel_id: UUID
    channel_kind: str
    external_id: str
    received_at: datetime
    reason: str
    context: dict[str, str]
    raw: Raw


def inbound_id(channel_id: UUID, dedup_key: str) -> UUID:
    """Return the id of an inbound item: the same item of the same channel always has the same id."""
    return named_uuid(channel_id, dedup_key)


def partition_key(sender: Address) -> str:
    """Return the key of okno.inbound: one client's items keep their order."""
    return f"{sender.kind}:{sender.address}"
