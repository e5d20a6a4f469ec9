"""Compressed RTF (MS-OXRTFCP), PURE: the form in which Outlook keeps a text inside winmail.dat."""

from __future__ import annotations

import struct

MAX_BYTES = 8 * 1024 * 1024

_COMPRESSED, _PLAIN = 0x75465A4C, 0x414C454D
_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20"
    b"\\b\\i\\u\\tab\\tx"
)
_RING = 4096


def decompress(data: bytes) -> bytes:
    """Return the RTF, as much of it as can be read; empty for what is none."""
    if len(data) < 16:
        return b""
    _, size, kind = struct.unpack_from("<III", data, 0)
    if kind == _PLAIN:
        return data[16 : 16 + size]
    return _lzfu(data, min(size, MAX_BYTES)) if kind == _COMPRESSED else b""


def _lzfu(data: bytes, size: int) -> bytes:
    """Runs of eight tokens behind a byte that says which of them are literals and which references into the ring."""
    ring = bytearray(_DICTIONARY.ljust(_RING, b"\x00"))
    write, out, at = len(_DICTIONARY), bytearray(), 16
    while at < len(data) and len(out) < size:
        flags, at = data[at], at + 1
        for bit in range(8):
            if at >= len(data) or len(out) >= size:
                break
            if not flags >> bit & 1:
                piece, at = data[at : at + 1], at + 1
            else:
                token, at = int.from_bytes(data[at : at + 2], "big"), at + 2
                start, length = token >> 4, (token & 15) + 2
                if start == write:
                    return bytes(out)
                # a reference may reach into what it is just writing
                piece = _copied(ring, start, write, length)
            for byte in piece:
                ring[write] = byte
                write = (write + 1) % _RING
            out += piece
    return bytes(out[:size])


def _copied(ring: bytearray, start: int, write: int, length: int) -> bytes:
    piece = bytearray()
    for offset in range(length):
        distance = (write - start) % _RING
        piece.append(piece[offset - distance] if offset >= distance else ring[(start + offset) % _RING])
    return bytes(piece)
