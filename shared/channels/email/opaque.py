"""What an S/MIME container holds, PURE: the mail inside a signed one, without a look at who signed (RFC 8551, 3.5.2).

BER is read as far as the content and no further; what is not what it should be gives nothing, never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAX_VALUES = 150_000
"""Looked at in all; a signed mail of 30 MB in pieces of 4 KB takes some 100,000."""
MAX_DEPTH = 8
"""Of octet strings within octet strings; OpenSSL writes one level of 4 KB pieces."""

Kind = Literal["signed", "encrypted", "compressed", "unknown"]

_SEQUENCE, _OID, _OCTETS, _OCTETS_IN_PIECES, _EXPLICIT_0 = 0x30, 0x06, 0x04, 0x24, 0xA0
_END_OF_CONTENTS = b"\x00\x00"
_PKCS7 = bytes.fromhex("2a864886f70d0107")
_CT = bytes.fromhex("2a864886f70d01091001")
_KINDS: dict[bytes, Kind] = {
    _PKCS7 + b"\x02": "signed",
    _PKCS7 + b"\x03": "encrypted",
    _CT + b"\x17": "encrypted",
    _CT + b"\x09": "compressed",
}
"""Object ids of RFC 5652, 5083 and 3274 (1.2.840.113549.1.7.* and .1.9.16.1.*)."""


class _Broken(Exception):
    """The bytes are not BER, or not what is expected there."""


@dataclass(frozen=True, slots=True)
class _Value:
    """A tag and where its content lies; `after`: where the next value begins."""

    tag: int
    start: int
    end: int
    is_open: bool

    @property
    def after(self) -> int:
        return self.end + 2 * self.is_open


def kind_of(data: bytes) -> Kind:
    """Return what a container says it is, `unknown` for what is none."""
    try:
        return _KINDS.get(_Reader(data).container()[0], "unknown")
    except _Broken:
        return "unknown"


def content(data: bytes) -> bytes | None:
    """Return the mail inside a signed container; None where there is none to be read (encrypted, detached, broken)."""
    reader = _Reader(data)
    try:
        kind, signed = reader.container()
        return reader.content(signed) if _KINDS.get(kind) == "signed" else None
    except _Broken:
        return None


class _Reader:
    """Reads one container; counts the values it looks at, so that a hostile one costs no more than a long one."""

    def __init__(self, data: bytes) -> None:
        self._data, self._left = data, MAX_VALUES

    def container(self) -> tuple[bytes, _Value]:
        """Return the object id of a ContentInfo and the SEQUENCE it is of (RFC 5652, 3)."""
        info = self._value(0, len(self._data), _SEQUENCE)
        kind = self._value(info.start, info.end, _OID)
        explicit = self._value(kind.after, info.end, _EXPLICIT_0)
        return self._data[kind.start : kind.end], self._value(explicit.start, explicit.end, _SEQUENCE)

    def content(self, signed: _Value) -> bytes | None:
        """Read version, digestAlgorithms, encapContentInfo { type, [0] content } (RFC 5652, 5.1 and 5.2)."""
        version = self._value(signed.start, signed.end)
        algorithms = self._value(version.after, signed.end)
        encapsulated = self._value(algorithms.after, signed.end, _SEQUENCE)
        kind = self._value(encapsulated.start, encapsulated.end, _OID)
        if kind.after >= encapsulated.end or self._data.startswith(_END_OF_CONTENTS, kind.after):
            return None
        explicit = self._value(kind.after, encapsulated.end, _EXPLICIT_0)
        octets = self._value(explicit.start, explicit.end)
        pieces: list[bytes] = []
        self._octets(octets, pieces, 0)
        return b"".join(pieces)

    def _octets(self, octets: _Value, pieces: list[bytes], depth: int) -> None:
        if octets.tag == _OCTETS:
            pieces.append(self._data[octets.start : octets.end])
            return
        if octets.tag != _OCTETS_IN_PIECES or depth >= MAX_DEPTH:
            raise _Broken
        at = octets.start
        while at < octets.end:
            piece = self._value(at, octets.end)
            self._octets(piece, pieces, depth + 1)
            at = piece.after

    def _value(self, at: int, end: int, expected: int | None = None, depth: int = 0) -> _Value:
        """Return the value that begins at `at`; lengths may be short, long or open (X.690, 8.1.3). Raises _Broken."""
        data, self._left = self._data, self._left - 1
        wrong = at + 2 > end or (expected is not None and data[at] != expected) or data[at] & 0x1F == 0x1F
        if wrong or self._left < 0:
            raise _Broken
        tag, length, start = data[at], data[at + 1], at + 2
        if length == 0x80:
            return _Value(tag, start, self._end_of_open(start, end, depth), is_open=True)
        if length > 0x80:
            size = length & 0x7F
            length, start = int.from_bytes(data[start : start + size]), start + size
        if start + length > end:
            raise _Broken
        return _Value(tag, start, start + length, is_open=False)

    def _end_of_open(self, at: int, end: int, depth: int) -> int:
        """Return where the two zero octets stand that end a value of open length."""
        if depth > 4 * MAX_DEPTH:
            raise _Broken
        while not (at + 2 <= end and self._data.startswith(_END_OF_CONTENTS, at)):
            at = self._value(at, end, depth=depth + 1).after
        return at
