"""What ingest tells the projector of a file it fetched in the background. Topic okno.inbound, key: the client's."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from shared.contracts.inbound import FileRef
from shared.values import dataclass


@dataclass(frozen=True, slots=True)
class FileFetched:
    """The file that the item `inbound_id` named by `ref` is in blobs now."""

    id: UUID
    inbound_id: UUID
    channel_id: UUID
    ref: str
    file: FileRef
    at: datetime


@dataclass(frozen=True, slots=True)
class FileUnavailable:
    """It cannot be had; `reason` is for the operator."""

    id: UUID
    inbound_id: UUID
    channel_id: UUID
    ref: str
    reason: str
    at: datetime


def fetch_id(inbound_id: UUID, ref: str) -> UUID:
    """Return the id of a fetch: the same file of the same item is fetched once."""
    return uuid5(inbound_id, f"file/{ref}")
