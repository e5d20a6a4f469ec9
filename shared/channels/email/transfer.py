"""Transfer encodings undone as far as they can be (RFC 2045, 6), PURE. Broken ones keep what is readable."""

from __future__ import annotations

import binascii
import quopri
import re

_MAX_PIECES = 10_000
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))


def decode(body: bytes, encoding: bytes) -> bytes:
    """Undo base64 or quoted-printable, keeping what is readable of broken ones."""
    match encoding.strip().strip(b'"').lower():
        case b"base64":
            return body if _is_plain(body) else decode_base64(body)
        case b"quoted-printable":
            return quopri.decodestring(body)
        case b"x-uuencode" | b"uuencode" | b"x-uue" | b"uue":
            return _decode_uu(body)
        case _:
            return body


def _is_plain(body: bytes) -> bool:
    """Tell whether a text only claims to be base64: it has spaces and signs all over."""
    foreign = len(body.translate(None, _BASE64 + b"=\r\n"))
    return foreign * 12 > len(body)


def decode_base64(text: bytes) -> bytes:
    """Decode leniently: foreign characters are skipped, padding is repaired, concatenated pieces are joined."""
    pieces = []
    joined = 0 < text.rstrip(b"=\r\n \t").count(b"=") < _MAX_PIECES
    for piece in re.split(rb"=+", text) if joined else [text]:
        clean = piece.translate(None, _NOT_BASE64)
        if len(clean) % 4 == 1:
            clean = clean[:-1]
        pieces.append(binascii.a2b_base64(clean + b"=" * (-len(clean) % 4)))
    return b"".join(pieces)


def _decode_uu(body: bytes) -> bytes:
    """Decode; a line may be cut short of its zeros, but what would become more than twice as long is left alone."""
    decoded, size = [], 0
    for line in body.splitlines():
        if line.startswith((b"begin ", b"end", b"`")) or not line:
            continue
        try:
            decoded.append(binascii.a2b_uu(line))
        except binascii.Error:
            return body
        size += len(decoded[-1])
        if size > 2 * len(body):
            return body
    return b"".join(decoded)
