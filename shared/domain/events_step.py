"""What is due with a customer. Only ever added to."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from shared.values import dataclass


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
