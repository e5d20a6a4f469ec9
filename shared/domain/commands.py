"""What can be asked of a conversation or a quarantined item. Time and ids are always given, never fetched."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.domain.events import (
    Address,
    Call,
    ConversationOpened,
    File,
    InboundQuarantined,
    MessageReceived,
    RemoteFile,
    Told,
)
from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class ReceiveMessage:
    """`message` is complete; `opened_because` is used when the conversation is new."""

    message: MessageReceived
    opened_because: str


@dataclass(frozen=True, slots=True)
class RequestReply:
    reply_id: UUID
    text: str
    files: tuple[File, ...] = ()
    markup: Literal["plain", "markdown"] = "plain"
    to: tuple[Address, ...] | None = None
    """None: to whom the message answered says."""
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    quotes: bool | None = None
    """Whether the client's own text stands below the answer; None: where they do not have it in a mail of theirs."""
    automatic: bool = False
    answers: UUID | None = None
    """A message the operator picked; None: the client's last one."""
    target: str = ""
    """The external id of the message that was picked."""
    signature: str = ""
    """The operator's own, its variables not filled in."""


@dataclass(frozen=True, slots=True)
class RequestAction:
    """`channel_id`, `to`, `target` and `thread_key` are those of the message it is about."""

    reply_id: UUID
    action: Literal["edit", "delete", "react", "call"]
    channel_id: UUID
    to: tuple[Address, ...]
    message_id: UUID | None = None
    target: str = ""
    text: str = ""
    markup: Literal["plain", "markdown"] = "plain"
    thread_key: str = ""
    operator_address: str = ""


@dataclass(frozen=True, slots=True)
class RetryReply:
    reply_id: UUID


@dataclass(frozen=True, slots=True)
class RecordDelivery:
    """What outbound reported of one attempt."""

    reply_id: UUID
    channel_id: UUID
    attempt: int
    state: Literal["sent", "failed", "unknown"]
    tries: int
    external_id: str = ""
    known_as: tuple[str, ...] = ()
    error: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class RecordNotice:
    """What somebody on the client's side said of a reply; `attempt`: the one that was sent last."""

    reply_id: UUID
    attempt: int
    state: Literal["delivered", "read", "delayed", "bounced", "complained"]
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None


@dataclass(frozen=True, slots=True)
class HearEcho:
    """The item is a reply of ours as the channel gives it back."""

    reply_id: UUID
    item_id: UUID
    channel_id: UUID
    external_id: str
    known_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tell:
    """Something of a message, a thread or a client that is there already; `opening` is used when it is not."""

    told: Told
    opening: ConversationOpened


@dataclass(frozen=True, slots=True)
class AnnounceFiles:
    """The item names files of the message that are to be fetched; `once`: several items may name the same one."""

    message_id: UUID
    item_id: UUID
    files: tuple[RemoteFile, ...]
    once: bool


@dataclass(frozen=True, slots=True)
class TakeFile:
    """What became of a file that an item named: the file, or the reason why there is none."""

    item_id: UUID
    ref: str
    file: File | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EndCall:
    """Nobody has told of the end of a call: `call` is how it must have ended."""

    message_id: UUID
    call: Call


@dataclass(frozen=True, slots=True)
class MoveAway:
    """Take a message out of its conversation; fields as in MessageMoved."""

    message_id: UUID
    to_conversation_id: UUID
    to_customer_id: UUID
    said_at: datetime
    known_as: tuple[str, ...]
    left: MessageReceived | None
    left_at: datetime | None
    waits_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class TakeIn:
    """`message` names the conversation and customer it comes to."""

    message: MessageReceived
    from_conversation_id: UUID
    said_at: datetime
    is_newest: bool = True


@dataclass(frozen=True, slots=True)
class MergeInto:
    """Go on in another conversation: fields as in ConversationMerged."""

    into_id: UUID
    into_customer_id: UUID
    threads: tuple[tuple[UUID, str], ...]


@dataclass(frozen=True, slots=True)
class GoOnAlone:
    """End the merge of a conversation into another one."""


@dataclass(frozen=True, slots=True)
class AddNote:
    note_id: UUID
    text: str


@dataclass(frozen=True, slots=True)
class Assign:
    operator_id: UUID | None
    operator_name: str


@dataclass(frozen=True, slots=True)
class Snooze:
    until: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class EndSnooze:
    """The time has come: `now` is compared with the time the conversation sleeps until."""

    now: datetime


@dataclass(frozen=True, slots=True)
class Reopen:
    pass


@dataclass(frozen=True, slots=True)
class Close:
    pass


@dataclass(frozen=True, slots=True)
class Tag:
    add: tuple[str, ...]
    remove: tuple[str, ...]


ConversationCommand = (
    ReceiveMessage
    | RequestReply
    | RequestAction
    | RetryReply
    | RecordDelivery
    | RecordNotice
    | HearEcho
    | Tell
    | AnnounceFiles
    | TakeFile
    | EndCall
    | MoveAway
    | TakeIn
    | MergeInto
    | GoOnAlone
    | AddNote
    | Assign
    | Snooze
    | EndSnooze
    | Reopen
    | Close
    | Tag
)


@dataclass(frozen=True, slots=True)
class PlanStep:
    step_id: UUID
    customer_id: UUID
    conversation_id: UUID | None
    what: str
    due_at: datetime
    operator_id: UUID | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class EndStep:
    how: Literal["done", "declined"]
    note: str = ""


@dataclass(frozen=True, slots=True)
class PostponeStep:
    due_at: datetime


StepCommand = PlanStep | EndStep | PostponeStep


@dataclass(frozen=True, slots=True)
class Quarantine:
    item: InboundQuarantined


@dataclass(frozen=True, slots=True)
class RetryQuarantined:
    pass


@dataclass(frozen=True, slots=True)
class ResolveQuarantined:
    conversation_id: UUID


QuarantineCommand = Quarantine | RetryQuarantined | ResolveQuarantined
