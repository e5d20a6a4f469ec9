"""What becomes of a record that nobody can read: a dead letter, which always fits, with the reason and its place."""

from __future__ import annotations

from shared.transport.limits import MAX_RECORD_BYTES, RecordTooLarge, check_size
from shared.transport.protocol import Outgoing, Record

LETTER_ID = "okno-letter"
"""The header with the id that a record has in the backup it was published again from: the letter has it too."""
REASON_CHARACTERS = ID_CHARACTERS = 1000
ROOM = 16 * 1024
"""For what a letter has besides what was buried, and one that is sealed."""


def letter(record: Record, reason: str, buried_at: str = "") -> Outgoing:
    """Return the letter; of one too large only the beginning, without its headers: the rest is where it came from."""
    place = {"okno-source": record.source, "okno-offset": str(record.offset)}
    about = {"okno-reason": reason[:REASON_CHARACTERS], **place} | ({"okno-buried-at": buried_at} if buried_at else {})
    if _fits(record):
        return Outgoing(record.key, record.value, {**record.headers, **about})
    if id_ := record.headers.get(LETTER_ID, "")[:ID_CHARACTERS]:
        about[LETTER_ID] = id_
    return Outgoing(record.key[:ID_CHARACTERS], buried(record), {**about, "okno-cut-from": str(len(record.value))})


def buried(record: Record) -> bytes:
    """Return what a letter has of a record's value, whatever the reason."""
    return record.value if _fits(record) else record.value[: MAX_RECORD_BYTES - 2 * ROOM]


def _fits(record: Record) -> bool:
    try:
        return check_size(Outgoing(record.key, record.value, record.headers)) <= MAX_RECORD_BYTES - ROOM
    except RecordTooLarge:
        return False
