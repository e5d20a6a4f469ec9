"""Named UUIDs in a fraction of the time: several are made for every message.

Imports only the standard library, so that everybody may import it.
"""

from __future__ import annotations

from hashlib import sha1
from uuid import UUID, SafeUUID

_FREE_BITS = ((1 << 128) - 1) & ~((0xF << 76) | (3 << 62))
_VERSION_5 = (5 << 76) | (2 << 62)
_UNKNOWN = SafeUUID.unknown
"""Looked up once: Python 3.11 finds a member of an enum by a function of its own."""
_new, _set = object.__new__, object.__setattr__


def named_uuid(namespace: UUID, name: str) -> UUID:
    """Return `uuid.uuid5(namespace, name)` (RFC 9562, section 5.5)."""
    digest = sha1(namespace.int.to_bytes(16, "big") + name.encode(), usedforsecurity=False).digest()
    made = _new(UUID)
    _set(made, "int", (int.from_bytes(digest[:16], "big") & _FREE_BITS) | _VERSION_5)
    _set(made, "is_safe", _UNKNOWN)
    return made
