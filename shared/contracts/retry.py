"""What the relay tells ingest: read a quarantined item again. Topic okno.retries, key: channel."""

from __future__ import annotations

from uuid import UUID

from shared.contracts.inbound import InboundUnreadable
from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class RetryUnreadable:
    """The item as it was when it could not be read."""

    item: InboundUnreadable
    requested_by: UUID
