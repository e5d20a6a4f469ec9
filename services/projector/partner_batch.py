"""What is sent to a partner at once: the next events it asked for, bounded in number and size.

A batch that was begun is read again as it was: same events, same body, same webhook-id.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from shared.clock import to_text
from shared.database.protocol import Transaction
from shared.event_store.log import head, read_window
from shared.event_store.shown import shown, stored_names
from shared.registry.subscriptions import Subscription

EVENTS = 100
BYTES = 512 * 1024
"""Of a body; an event that is larger goes alone."""
WINDOW = 50_000
"""Positions that are looked through at once for events the partner asked for."""
TYPE = "okno.events"


@dataclass(frozen=True, slots=True)
class Batch:
    """`first` and `last` are the positions of its events."""

    first: int
    last: int
    events: int
    body: bytes


class _Data(msgspec.Struct):
    events: list[msgspec.Raw]


class _Payload(msgspec.Struct):
    """The shape that Standard Webhooks recommends: type, timestamp, data."""

    type: str
    timestamp: str
    data: _Data


def next_batch(tx: Transaction, subscription: Subscription, after: int) -> tuple[Batch | None, int, bool]:
    """Return what to send next after a position, how far the log was read for it, and whether it goes on there."""
    end = head(tx)
    until = subscription.sending_until or min(end, after + WINDOW)
    events = read_window(tx, after, until, EVENTS, stored_names(subscription.types))
    if not events:
        return None, max(after, until), until < end
    encoded: list[msgspec.Raw] = []
    size = 0
    for recorded in events:
        body = msgspec.json.encode(shown(recorded))
        size += len(body)
        if encoded and size > BYTES and subscription.sending_until is None:
            break
        encoded.append(msgspec.Raw(body))
    last = events[len(encoded) - 1]
    payload = _Payload(TYPE, to_text(last.recorded_at), _Data(encoded))
    return Batch(events[0].position, last.position, len(encoded), msgspec.json.encode(payload)), last.position, True
