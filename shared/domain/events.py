"""Everything that can have happened, by its stored name. Only ever added to: new fields get defaults.

Streams: one per customer, one per conversation, one per quarantined item. Each event is stored in an envelope
(`Recorded`) that knows when, why and by whom. The events themselves are in `events_*`, by what they are about.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from shared.domain.events_access import RecordingHeard as RecordingHeard
from shared.domain.events_card import CardChanged as CardChanged
from shared.domain.events_card import CardEvent as CardEvent
from shared.domain.events_card import Consent as Consent
from shared.domain.events_card import ConsentGiven as ConsentGiven
from shared.domain.events_card import ConsentWithdrawn as ConsentWithdrawn
from shared.domain.events_card import CustomerRestored as CustomerRestored
from shared.domain.events_card import CustomerRetired as CustomerRetired
from shared.domain.events_card import FieldChange as FieldChange
from shared.domain.events_card import ImportAdvanced as ImportAdvanced
from shared.domain.events_card import ImportEvent as ImportEvent
from shared.domain.events_card import ImportFinished as ImportFinished
from shared.domain.events_card import ImportStarted as ImportStarted
from shared.domain.events_card import ImportUndone as ImportUndone
from shared.domain.events_card import ImportUndoStarted as ImportUndoStarted
from shared.domain.events_card import OwnFieldDefined as OwnFieldDefined
from shared.domain.events_card import OwnFieldEvent as OwnFieldEvent
from shared.domain.events_card import OwnFieldRemoved as OwnFieldRemoved
from shared.domain.events_card import Values as Values
from shared.domain.events_conversation import ConversationAssigned as ConversationAssigned
from shared.domain.events_conversation import ConversationClosed as ConversationClosed
from shared.domain.events_conversation import ConversationReopened as ConversationReopened
from shared.domain.events_conversation import ConversationSnoozed as ConversationSnoozed
from shared.domain.events_conversation import ConversationTagged as ConversationTagged
from shared.domain.events_conversation import NoteAdded as NoteAdded
from shared.domain.events_customer import CustomerRegistered as CustomerRegistered
from shared.domain.events_customer import IdentityLinked as IdentityLinked
from shared.domain.events_echo import EchoReceived as EchoReceived
from shared.domain.events_held import FileHeld as FileHeld
from shared.domain.events_held import ReportHeld as ReportHeld
from shared.domain.events_merge import CustomersMerged as CustomersMerged
from shared.domain.events_merge import CustomerUnmerged as CustomerUnmerged
from shared.domain.events_merge import MemberJoined as MemberJoined
from shared.domain.events_merge import MemberLeft as MemberLeft
from shared.domain.events_merge import MergeEvent as MergeEvent
from shared.domain.events_merge import MergeRefused as MergeRefused
from shared.domain.events_merge import MergeSuggested as MergeSuggested
from shared.domain.events_merge import Reason as Reason
from shared.domain.events_message import CallProgressed as CallProgressed
from shared.domain.events_message import ConversationOpened as ConversationOpened
from shared.domain.events_message import CustomerReachChanged as CustomerReachChanged
from shared.domain.events_message import FileArrived as FileArrived
from shared.domain.events_message import FileMissing as FileMissing
from shared.domain.events_message import FilesAnnounced as FilesAnnounced
from shared.domain.events_message import MessageAdopted as MessageAdopted
from shared.domain.events_message import MessageDeleted as MessageDeleted
from shared.domain.events_message import MessageEdited as MessageEdited
from shared.domain.events_message import MessageExtended as MessageExtended
from shared.domain.events_message import MessageMoved as MessageMoved
from shared.domain.events_message import MessageReacted as MessageReacted
from shared.domain.events_message import MessageReceived as MessageReceived
from shared.domain.events_message import ThreadRenamed as ThreadRenamed
from shared.domain.events_privacy import CustomerErased as CustomerErased
from shared.domain.events_quarantine import InboundQuarantined as InboundQuarantined
from shared.domain.events_quarantine import QuarantineResolved as QuarantineResolved
from shared.domain.events_quarantine import QuarantineRetried as QuarantineRetried
from shared.domain.events_reply import ActionRequested as ActionRequested
from shared.domain.events_reply import ReplyBounced as ReplyBounced
from shared.domain.events_reply import ReplyComplained as ReplyComplained
from shared.domain.events_reply import ReplyDelayed as ReplyDelayed
from shared.domain.events_reply import ReplyDelivered as ReplyDelivered
from shared.domain.events_reply import ReplyFailed as ReplyFailed
from shared.domain.events_reply import ReplyFateUnknown as ReplyFateUnknown
from shared.domain.events_reply import ReplyRead as ReplyRead
from shared.domain.events_reply import ReplyRequested as ReplyRequested
from shared.domain.events_reply import ReplyRetried as ReplyRetried
from shared.domain.events_reply import ReplySent as ReplySent
from shared.domain.events_step import StepDeclined as StepDeclined
from shared.domain.events_step import StepDone as StepDone
from shared.domain.events_step import StepPlanned as StepPlanned
from shared.domain.events_step import StepPostponed as StepPostponed
from shared.domain.events_threads import ConversationMerged as ConversationMerged
from shared.domain.events_threads import ConversationUnmerged as ConversationUnmerged
from shared.domain.events_values import Actor as Actor
from shared.domain.events_values import Address as Address
from shared.domain.events_values import Call as Call
from shared.domain.events_values import DeliveryNotice as DeliveryNotice
from shared.domain.events_values import File as File
from shared.domain.events_values import Leg as Leg
from shared.domain.events_values import Nature as Nature
from shared.domain.events_values import Raw as Raw
from shared.domain.events_values import RemoteFile as RemoteFile
from shared.values import dataclass

# --- values -----------------------------------------------------------------------------------------------


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


Nature = Literal["ordinary", "automatic", "list", "bounce", "complaint", "receipt", "loop", "spam"]


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


# --- customer ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CustomerRegistered:
    """Somebody wrote or called from an address nobody had used before."""

    customer_id: UUID
    name: str
    address: Address


@dataclass(frozen=True, slots=True)
class IdentityLinked:
    """A further address of a customer, for which a channel vouches: what comes from it is theirs from now on."""

    customer_id: UUID
    address: Address


# --- conversation -----------------------------------------------------------------------------------------


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
class ReplyRequested:
    """An operator answered the message `answers`. Fields as in `contracts.outbound`."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    answers: UUID
    channel_id: UUID
    to: tuple[Address, ...]
    subject: str
    text: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    thread_key: str = ""
    files: tuple[File, ...] = ()
    markup: Literal["plain", "markdown"] = "plain"
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    quotes: bool = False
    automatic: bool = False
    target: str = ""
    """The external id of the message that the operator picked to answer."""
    signature: str = ""
    """The operator's own, as it was then: a mail that is sent again is the same mail."""


@dataclass(frozen=True, slots=True)
class ActionRequested:
    """An operator wants something done with a message, or a telephone rung; its fate is told like a reply's.

    `message_id` is the message edited, deleted or reacted to, `target` its external id; fields as in
    `contracts.outbound`.
    """

    conversation_id: UUID
    customer_id: UUID
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
class ReplyRetried:
    """An operator decided to send a failed or uncertain reply again."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    of_action: bool = False


@dataclass(frozen=True, slots=True)
class ReplySent:
    """The provider accepted the reply under `external_id`."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    channel_id: UUID
    attempt: int
    tries: int
    external_id: str
    known_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """The reply did not reach the client and will not by itself."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    tries: int
    error: str
    code: str = ""
    of_action: bool = False
    """What failed is no answer, so the client waits neither more nor less."""


@dataclass(frozen=True, slots=True)
class ReplyFateUnknown:
    """The reply may have reached the client: the channel cannot tell."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    tries: int
    error: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class ReplyDelivered:
    """The client's side confirmed that it has a reply."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None


@dataclass(frozen=True, slots=True)
class ReplyRead:
    """The client, or their program, says that a reply was read."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None


@dataclass(frozen=True, slots=True)
class ReplyDelayed:
    """Somebody on the way is still trying."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None


@dataclass(frozen=True, slots=True)
class ReplyBounced:
    """A reply that had been sent came back: the client has not got it."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None


@dataclass(frozen=True, slots=True)
class ReplyComplained:
    """The client's side calls a reply spam."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    attempt: int
    recipient: str = ""
    code: str = ""
    error: str = ""
    reason: str = ""
    hard: bool | None = None


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


@dataclass(frozen=True, slots=True)
class NoteAdded:
    """An operator wrote something that never leaves."""

    conversation_id: UUID
    customer_id: UUID
    note_id: UUID
    text: str


@dataclass(frozen=True, slots=True)
class ConversationAssigned:
    """`operator_id` None: nobody is responsible any more."""

    conversation_id: UUID
    customer_id: UUID
    operator_id: UUID | None
    operator_name: str


@dataclass(frozen=True, slots=True)
class ConversationSnoozed:
    conversation_id: UUID
    customer_id: UUID
    until: datetime


@dataclass(frozen=True, slots=True)
class ConversationReopened:
    """`reason`: operator, message (the client wrote), time (the snooze ended), or bounce (our answer came back)."""

    conversation_id: UUID
    customer_id: UUID
    reason: Literal["operator", "message", "time", "bounce"]


@dataclass(frozen=True, slots=True)
class ConversationClosed:
    conversation_id: UUID
    customer_id: UUID


@dataclass(frozen=True, slots=True)
class ConversationTagged:
    conversation_id: UUID
    customer_id: UUID
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


# --- next steps -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepPlanned:
    """Something is to be done with a customer; `what` is words, or call_back. `operator_id` None: by anybody."""

    step_id: UUID
    customer_id: UUID
    conversation_id: UUID | None
    what: str
    due_at: datetime
    operator_id: UUID | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class StepDone:
    step_id: UUID
    customer_id: UUID
    conversation_id: UUID | None
    what: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class StepPostponed:
    step_id: UUID
    customer_id: UUID
    conversation_id: UUID | None
    what: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class StepDeclined:
    """It will not be done; `note` says why."""

    step_id: UUID
    customer_id: UUID
    conversation_id: UUID | None
    what: str
    note: str = ""


# --- quarantine -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InboundQuarantined:
    """An item arrived that nobody could understand."""

    item_id: UUID
    channel_id: UUID
    channel_kind: str
    external_id: str
    reason: str
    raw: Raw
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class QuarantineRetried:
    item_id: UUID


@dataclass(frozen=True, slots=True)
class QuarantineResolved:
    """The item was understood at last; it stands on a timeline under the same id."""

    item_id: UUID
    conversation_id: UUID


CustomerEvent = CustomerRegistered | IdentityLinked | CustomerErased | CardEvent
Told = MessageEdited | MessageDeleted | MessageReacted | CustomerReachChanged | ThreadRenamed
"""What is told of something that is there already."""
Notice = ReplyDelivered | ReplyRead | ReplyDelayed | ReplyBounced | ReplyComplained
ConversationEvent = (
    ConversationOpened
    | MessageReceived
    | MessageExtended
    | CallProgressed
    | ReplyRequested
    | ActionRequested
    | ReplyRetried
    | ReplySent
    | ReplyFailed
    | ReplyFateUnknown
    | Notice
    | EchoReceived
    | Told
    | FilesAnnounced
    | FileArrived
    | FileMissing
    | MessageMoved
    | MessageAdopted
    | NoteAdded
    | ConversationAssigned
    | ConversationSnoozed
    | ConversationReopened
    | ConversationClosed
    | ConversationTagged
    | ConversationMerged
    | ConversationUnmerged
)
QuarantineEvent = InboundQuarantined | QuarantineRetried | QuarantineResolved
StepEvent = StepPlanned | StepDone | StepPostponed | StepDeclined
HeldEvent = ReportHeld | FileHeld
Event = (
    CustomerEvent
    | ConversationEvent
    | StepEvent
    | QuarantineEvent
    | HeldEvent
    | RecordingHeard
    | OwnFieldEvent
    | ImportEvent
    | MergeEvent
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it stands in the log. `recorded_at` is our clock, `occurred_at` the channel's."""

    position: int
    stream_id: UUID
    version: int
    recorded_at: datetime
    occurred_at: datetime
    cause: UUID | None
    actor: Actor
    event: Event
    erased: bool = False
    """The key of its personal content was destroyed: those fields are empty."""
