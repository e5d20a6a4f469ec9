"""The log without its content: whose each event is, of which channel, and what it was sealed with. Needs no keys."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from shared.database.protocol import Transaction
from shared.event_store.log import read_stored
from shared.event_store.log_rows import Stored
from shared.event_store.mapper import ChangedEvent, key_of, plain_part


class _Message(msgspec.Struct):
    message_id: UUID | None = None


class _Ids(msgspec.Struct):
    customer_id: UUID | None = None
    item_id: UUID | None = None
    conversation_id: UUID | None = None
    channel_id: UUID | None = None
    message_id: UUID | None = None
    message: _Message | None = None
    to_customer_id: UUID | None = None
    other_id: UUID | None = None
    reply_id: UUID | None = None
    left: _Message | int | None = None
    """A message, or of an undone import how many customers it left."""


class _Envelope(msgspec.Struct):
    recorded_at: datetime
    event: _Ids
    cause: UUID | None = None
    channel_id: UUID | None = None


_decode = msgspec.json.Decoder(_Envelope).decode


@dataclass(frozen=True, slots=True)
class Trace:
    """`owner`: the customer, or the quarantined item; `key` None: nothing of it is sealed."""

    position: int
    stream_id: UUID
    version: int
    type: str
    key: bytes | None
    owner: UUID
    channel_id: UUID | None
    recorded_at: datetime
    cause: UUID | None
    conversation_id: UUID | None
    message_id: UUID | None
    moved_to: UUID | None
    """The customer whose timeline the message is on now."""
    other_id: UUID | None
    """The other one of two who may be one."""
    reply_id: UUID | None
    left_id: UUID | None
    """The message that stays behind where another one was moved away."""


def read_traces(tx: Transaction, after: int, limit: int) -> list[Trace]:
    """Return up to `limit` events recorded after a position. Raises ChangedEvent."""
    return [trace_of(stored) for stored in read_stored(tx, after, limit)]


def trace_of(stored: Stored) -> Trace:
    """Return what is known of an event without any key. Raises ChangedEvent."""
    try:
        plain = _decode(plain_part(stored.state))
    except (msgspec.MsgspecError, struct.error, LookupError, ValueError) as error:
        place = f"at position {stored.position} ({stored.type})"
        raise ChangedEvent(f"it cannot be seen whose the event {place} is: its bytes were changed") from error
    ids = plain.event
    return Trace(
        stored.position,
        stored.stream_id,
        stored.version,
        stored.type,
        key_of(stored.state),
        ids.customer_id or ids.item_id or stored.stream_id,
        ids.channel_id or plain.channel_id,
        plain.recorded_at,
        plain.cause,
        ids.conversation_id,
        ids.message.message_id if ids.message else ids.message_id,
        ids.to_customer_id,
        ids.other_id,
        ids.reply_id,
        ids.left.message_id if isinstance(ids.left, _Message) else None,
    )
