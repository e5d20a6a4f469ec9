"""What a client's side said, and what became of it later. Only ever added to."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.domain.events_values import Address, Call, DeliveryNotice, File, Nature, Raw, RemoteFile
from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class ConversationOpened:
    """`reason` says why the message did not join another conversation."""

    conversation_id: UUID
    customer_id: UUID
    channel_id: UUID
    channel_kind: str
    subject: str
    reason: str
    thread_key: str = ""
    """The provider's thread, where no message tells of it."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message, form or call arrived; `joined_because` says why it is in this conversation."""

    conversation_id: UUID
    customer_id: UUID
    message_id: UUID
    channel_id: UUID
    channel_kind: str
    external_id: str
    kind: Literal["text", "call", "form"]
    direction: Literal["inbound", "outbound"]
    sender: Address
    raw: Raw
    joined_because: str = ""
    subject: str = ""
    text: str = ""
    full_text: str = ""
    html: str = ""
    recipients: tuple[str, ...] = ()
    reply_to: Address | None = None
    reply_channel: UUID | None = None
    cannot_reply: str = ""
    refers_to: tuple[str, ...] = ()
    known_as: tuple[str, ...] = ()
    thread_key: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    call: Call | None = None
    files: tuple[File, ...] = ()
    claimed: tuple[Address, ...] = ()
    nature: Nature = "ordinary"
    warnings: tuple[str, ...] = ()
    about: DeliveryNotice | None = None
    edited_before: bool = False
    """A new version of it came first and has stood in its place."""
    joined_score: int = 0
    """As `resolve` counted the reasons to be in this conversation."""
    proves: tuple[str, ...] = ()
    topic: str = ""
    same_as: tuple[UUID, ...] = ()
    """Further ids under which the same item is known from now on."""
    part_id: UUID | None = None
    """The item this was, where several are one message: others follow as MessageExtended."""

    @property
    def said_id(self) -> UUID:
        """The id by which others speak of what was said here: a part's own."""
        return self.part_id or self.message_id

    @property
    def waits(self) -> bool:
        """Whether somebody has to look at it: only what a person wrote, or a list sent, reopens and waits."""
        return self.direction == "inbound" and self.nature in ("ordinary", "list")

    @property
    def answers(self) -> bool:
        """Whether somebody of ours wrote it past Okno, from the business's own account."""
        return self.direction == "outbound" and self.call is None and self.nature == "ordinary"


@dataclass(frozen=True, slots=True)
class MessageExtended:
    """Another part of a message that is there already (an album) came: `message` is that part."""

    conversation_id: UUID
    customer_id: UUID
    message: MessageReceived

    @property
    def message_id(self) -> UUID:
        return self.message.message_id

    @property
    def raw(self) -> Raw:
        return self.message.raw


@dataclass(frozen=True, slots=True)
class CallProgressed:
    """The provider told more of a call that is on the timeline already."""

    conversation_id: UUID
    customer_id: UUID
    message_id: UUID
    call: Call


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """A message has a new version, said at the time this occurred; `known`: the message had been received.

    `item_id` is the inbound item that told of it, or the operator's edit.
    """

    conversation_id: UUID
    customer_id: UUID
    message_id: UUID
    item_id: UUID
    channel_id: UUID
    external_id: str
    sender: Address | None
    text: str
    full_text: str = ""
    html: str = ""
    files: tuple[File, ...] = ()
    known: bool = True
    raw: Raw | None = None


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """A message was deleted where it was said; what we have received stays in the log."""

    conversation_id: UUID
    customer_id: UUID
    message_id: UUID
    channel_id: UUID
    known: bool = True
    raw: Raw | None = None


@dataclass(frozen=True, slots=True)
class MessageReacted:
    """All reactions of somebody to a message as they are now; none: withdrawn."""

    conversation_id: UUID
    customer_id: UUID
    message_id: UUID
    channel_id: UUID
    reactions: tuple[str, ...]
    known: bool = True
    raw: Raw | None = None


@dataclass(frozen=True, slots=True)
class FilesAnnounced:
    """Files of a message are being fetched; `item_id` is the inbound item that named them."""

    conversation_id: UUID
    customer_id: UUID
    message_id: UUID
    item_id: UUID
    files: tuple[RemoteFile, ...]
    once: bool = False
    """Other items may name the same files again: they are the same."""


@dataclass(frozen=True, slots=True)
class FileArrived:
    conversation_id: UUID
    customer_id: UUID
    message_id: UUID
    item_id: UUID
    ref: str
    file: File


@dataclass(frozen=True, slots=True)
class FileMissing:
    """A file that had been announced cannot be had; `reason` stands in its place."""

    conversation_id: UUID
    customer_id: UUID
    message_id: UUID
    item_id: UUID
    ref: str
    reason: str


@dataclass(frozen=True, slots=True)
class CustomerReachChanged:
    """The client blocked us on this thread, or can be written to again."""

    conversation_id: UUID
    customer_id: UUID
    channel_id: UUID
    reachable: bool
    reason: str = ""
    raw: Raw | None = None


@dataclass(frozen=True, slots=True)
class ThreadRenamed:
    """The provider's thread of this conversation has another key now."""

    conversation_id: UUID
    customer_id: UUID
    channel_id: UUID
    was: str
    now: str
    raw: Raw | None = None


@dataclass(frozen=True, slots=True)
class MessageMoved:
    """An operator took a message out of this conversation; `left` is the client's last one that stays.

    Messages stand here with the beginning of their text only: the whole of it is where they were received.
    """

    conversation_id: UUID
    customer_id: UUID
    message_id: UUID
    to_conversation_id: UUID
    to_customer_id: UUID
    said_at: datetime
    known_as: tuple[str, ...] = ()
    left: MessageReceived | None = None
    left_at: datetime | None = None
    was_to_be_answered: bool = False
    """An answer would have gone to it: now it goes to whoever wrote `left`."""
    waits_since: datetime | None = None
    """When the first was said that stays, is not older than this one and waits for an answer; None: nothing such."""


@dataclass(frozen=True, slots=True)
class MessageAdopted:
    """A message was moved into this conversation."""

    conversation_id: UUID
    customer_id: UUID
    message: MessageReceived
    from_conversation_id: UUID
    said_at: datetime
    is_newest: bool = True
    """Nothing that the client said here is newer, so an answer goes to it."""
