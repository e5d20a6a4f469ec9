"""Who reads what travels, and whether the log says how far they are."""

from __future__ import annotations

from shared.contracts import topics

READERS = (
    (topics.INBOUND, "projector", True),
    (topics.DELIVERY, "projector-delivery", True),
    (topics.OUTBOUND, "outbound", False),
    (topics.RETRIES, "ingest", False),
)
