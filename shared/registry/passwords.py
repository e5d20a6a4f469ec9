"""Passwords and tokens as they are stored: scrypt with a salt, and sha256 of random tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_N, _R, _P = 2**14, 8, 1
"""OWASP Password Storage Cheat Sheet: scrypt N=2^14 with r=8 and p=5 or more memory; logins are rate limited."""
SHORTEST_PASSWORD = 8


def hash_password(password: str) -> str:
    """Return `salt$hash` in hex; takes some 50 ms on purpose."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${_scrypt(password, salt).hex()}"


def is_password(password: str, stored: str) -> bool:
    """Compare in constant time; False for an empty `stored` (no password set)."""
    salt, _, expected = stored.partition("$")
    if not expected:
        return False
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)), bytes.fromhex(expected))


def new_token() -> str:
    """Return a token nobody can guess (256 bits)."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return what is stored of a token: who reads the database cannot use it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=64 * 1024 * 1024)
