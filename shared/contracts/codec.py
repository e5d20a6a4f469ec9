"""CloudEvents 1.0 in binary mode: attributes in `ce_` headers, the JSON of a contract as the value.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2 (binary content mode).
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from uuid import UUID

import msgspec

from shared.contracts.delivery import DeliveryReport
from shared.contracts.files import FileFetched, FileUnavailable
from shared.contracts.inbound import InboundMessage, InboundUnreadable
from shared.contracts.outbound import OutboundReply
from shared.contracts.retry import RetryUnreadable
from shared.values import dataclass

Contract = (
    InboundMessage
    | InboundUnreadable
    | FileFetched
    | FileUnavailable
    | OutboundReply
    | DeliveryReport
    | RetryUnreadable
)

TYPES: dict[str, type[Contract]] = {
    "okno.inbound.message.v1": InboundMessage,
    "okno.inbound.unreadable.v1": InboundUnreadable,
    "okno.inbound.file.v1": FileFetched,
    "okno.inbound.file_unavailable.v1": FileUnavailable,
    "okno.outbound.reply.v1": OutboundReply,
    "okno.delivery.report.v1": DeliveryReport,
    "okno.retry.unreadable.v1": RetryUnreadable,
}
NAMES: dict[type[Contract], str] = {contract: name for name, contract in TYPES.items()}

_encoder = msgspec.json.Encoder()
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""An escaped NUL, which PostgreSQL stores in no text: not the six characters after an escaped backslash."""


class UndecodableRecord(Exception):
    """A record that is no contract of ours: it can only go to the dead letters."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Value and headers of one record."""

    value: bytes
    headers: dict[str, str]


def encode(contract: Contract, *, id: UUID, source: str, at: datetime) -> Encoded:
    """Return the record of a contract. `source` is a URI reference, such as `/channels/{id}`."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(id),
        "ce_source": source,
        "ce_type": NAMES[type(contract)],
        "ce_time": at.isoformat(),
        "content-type": "application/json",
    }
    return Encoded(_encoder.encode(contract), headers)


def without_nul(value: bytes) -> bytes:
    """Return JSON with its NUL characters replaced."""
    return _NUL.sub(rb"\1\\ufffd", value) if b"\\u0000" in value else value


def decode(value: bytes, headers: dict[str, str]) -> Contract:
    """Return the contract a record carries, NUL characters replaced. Raises UndecodableRecord with the reason."""
    name = headers.get("ce_type", "")
    if name not in TYPES:
        raise UndecodableRecord(f"unknown event type {name!r}")
    try:
        return _decoder(name).decode(without_nul(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableRecord(f"{name}: {error}") from error


@cache
def _decoder(name: str) -> msgspec.json.Decoder[Contract]:
    return msgspec.json.Decoder(TYPES[name])
