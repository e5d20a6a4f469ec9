"""Seals what one transaction appends: of what a message leads to, one key is looked up."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.event_store.mapper import Envelope, Happening, tells_channel, to_sealed_state
from shared.event_store.raw_items import sealed_raw
from shared.keys.ring import Key, KeyRing, week_of

ChannelOf = Callable[[UUID], UUID | None]
"""The channel a conversation was opened on, as far as it is known."""


@dataclass(slots=True)
class Sealing:
    """`erased`: whose content is sealed with keys that nobody keeps.

    Not frozen: it remembers the last key, and what was around the last event.
    """

    keys: KeyRing
    recorded_at: datetime
    erased: Collection[UUID]
    channel_of: ChannelOf
    _owner: UUID | None = None
    _channel_id: UUID | None = None
    _key: Key | None = None
    _week: int = -1
    _envelope: Envelope | None = None

    def state(self, happening: Happening) -> bytes:
        """Return the bytes to store of an event."""
        event, envelope = happening.event, self._envelope
        if envelope is None or envelope.about is not happening.about:
            envelope = self._envelope = Envelope(happening.about, self.recorded_at)
        channel_id = self._channel(event)
        return to_sealed_state(
            event, envelope, lambda: self._to_seal(event, channel_id), self.keys.pseudonym, channel_id
        )

    def raw(self, event: Any, data: bytes) -> bytes:
        """Return the raw bytes that came with an event as they are kept."""
        return sealed_raw(self._to_seal(event, self._channel(event)), data)

    def _channel(self, event: Any) -> UUID | None:
        """Return the channel an event is of, None for those of a customer as a whole."""
        kind: type = type(event)
        if tells_channel(kind):
            channel_id: UUID | None = event.channel_id
            return channel_id
        conversation_id = getattr(event, "conversation_id", None)
        return self.channel_of(conversation_id) if conversation_id else None

    def _to_seal(self, event: Any, channel_id: UUID | None) -> Key:
        """A quarantined item is nobody's yet: it has keys of its own. What comes of an erased customer has none."""
        owner: UUID = getattr(event, "customer_id", None) or event.item_id
        if self._key is not None and owner is self._owner and channel_id is self._channel_id:
            return self._key
        if self.erased and owner in self.erased:
            return self.keys.thrown_away()
        if self._week < 0:
            self._week = week_of(self.recorded_at)
        self._owner, self._channel_id = owner, channel_id
        self._key = self.keys.to_seal_in(owner, channel_id, self._week)
        return self._key
