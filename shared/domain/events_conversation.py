"""What operators do with a conversation besides answering. Only ever added to."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.values import dataclass


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
