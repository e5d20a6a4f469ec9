"""Who has looked at what: recorded like everything else, so that nobody can take it back."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RecordingHeard:
    """An operator, the event's actor, began to listen to the recording of a call."""

    attachment_id: UUID
    message_id: UUID
    customer_id: UUID
    name: str
