"""What the projector's relay tells outbound: this reply is to be sent. Topic okno.outbound, key: conversation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.contracts.inbound import Address, FileRef


@dataclass(frozen=True, slots=True)
class Quoted:
    """The client's message that is being answered."""

    author: str
    occurred_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class OutboundReply:
    """An operator's reply on its way to the client; `attempt` grows when the operator sends it again."""

    id: UUID
    conversation_id: UUID
    channel_id: UUID
    to: tuple[Address, ...]
    subject: str
    text: str
    author: str
    requested_at: datetime
    in_reply_to: str
    references: tuple[str, ...]
    thread_key: str
    quoted: Quoted | None
    files: tuple[FileRef, ...]
    attempt: int = 1
