"""Keys that follow from OKNO_SECRET_KEY: one for each purpose, none of which tells anything of another."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derived(secret_key: bytes, purpose: str) -> bytes:
    """Return 32 bytes for a purpose (RFC 5869)."""
    return HKDF(SHA256(), 32, salt=None, info=f"okno {purpose}".encode()).derive(secret_key)


def keyed_hash(key: bytes, text: str) -> str:
    """Return 32 hexadecimal digits: the same for the same text, telling nothing of it to those without the key."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()
