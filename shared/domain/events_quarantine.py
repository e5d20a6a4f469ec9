"""Items that nobody understood, in streams of their own. Only ever added to."""

from __future__ import annotations

from uuid import UUID

from shared.domain.events_values import Raw
from shared.values import dataclass


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
