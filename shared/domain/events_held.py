"""What was told of a call before anybody told whose call it is: it is held until the call itself is known."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from shared.domain.events_values import Call, File, RemoteFile


@dataclass(frozen=True, slots=True)
class ReportHeld:
    """A report that names a call (`message_id`) and not the client, with the files that it told of."""

    item_id: UUID
    message_id: UUID
    call: Call
    files: tuple[RemoteFile, ...] = ()


@dataclass(frozen=True, slots=True)
class FileHeld:
    """A file of a report that is held; without `file` it cannot be had, for the `reason`."""

    item_id: UUID
    ref: str
    file: File | None = None
    reason: str = ""
