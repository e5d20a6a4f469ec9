"""What is said of conversations that operators put together. Their messages are moved; this says that it was all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ConversationMerged:
    """A conversation goes on in `into_id`, with the provider's `threads` (channel, key) that led to it."""

    conversation_id: UUID
    customer_id: UUID
    into_id: UUID
    into_customer_id: UUID
    threads: tuple[tuple[UUID, str], ...]
    was: Literal["open", "snoozed", "closed"]


@dataclass(frozen=True, slots=True)
class ConversationUnmerged:
    """It goes on by itself again."""

    conversation_id: UUID
    customer_id: UUID
    from_id: UUID
    threads: tuple[tuple[UUID, str], ...]
