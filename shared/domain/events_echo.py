"""The event of our own message coming back: the channel shows it to whoever reads along, also to us."""

from __future__ import annotations

from uuid import UUID

from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class EchoReceived:
    """The item `item_id` is the reply `reply_id`, under `external_id`: so that reply has reached the channel."""

    conversation_id: UUID
    customer_id: UUID
    reply_id: UUID
    item_id: UUID
    channel_id: UUID
    external_id: str
    known_as: tuple[str, ...] = ()
