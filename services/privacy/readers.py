"""Who reads what travels, and whether the log says how far they are."""

from __future__ import annotations

from shared.contracts import topics
from shared.event_store.store import EventStore
from shared.transport.protocol import Transport

READERS = (
    (topics.INBOUND, "projector", True),
    (topics.DELIVERY, "projector-delivery", True),
    (topics.OUTBOUND, "outbound", False),
    (topics.RETRIES, "ingest", False),
)


async def places(store: EventStore, transport: Transport) -> dict[str, int]:
    """Return how far each topic's reader has come, by source."""
    found: dict[str, int] = {}
    for topic, group, in_log in READERS:
        ends = await transport.ends(topic)
        found |= await store.positions(list(ends)) if in_log else await transport.done(topic, group)
    return found
