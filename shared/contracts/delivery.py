"""What outbound tells the projector: how a reply fared. Topic okno.delivery, key: conversation."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """The fate of one attempt of a reply. `error` is for the operator, `code` is the provider's."""

    reply_id: UUID
    conversation_id: UUID
    channel_id: UUID
    attempt: int
    state: Literal["sent", "failed", "unknown"]
    at: datetime
    tries: int
    external_id: str = ""
    known_as: tuple[str, ...] = ()
    error: str = ""
    code: str = ""
