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
