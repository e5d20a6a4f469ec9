"""How large a record may be, the same for both transports: a larger one is refused before it is sent."""

from __future__ import annotations

from shared.transport.protocol import Outgoing

MAX_RECORD_BYTES = 4 * 1024 * 1024
READ_BYTES = 8 * 1024 * 1024
"""A batch ends at about this size, however many records were asked for."""


class RecordTooLarge(ValueError):
    """Key, headers and value together exceed MAX_RECORD_BYTES: repeating cannot help, put the content into blobs."""


def check_size(record: Outgoing) -> int:
    """Return the bytes a record takes, roughly. Raises RecordTooLarge."""
    size = len(record.value) + len(record.key) * 4
    for name, value in record.headers.items():
        size += (len(name) + len(value)) * 4
    if size > MAX_RECORD_BYTES:
        raise RecordTooLarge(f"a record of about {size} bytes, the limit is {MAX_RECORD_BYTES}")
    return size
