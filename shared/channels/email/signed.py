"""Message-IDs and reply addresses that only we can make, PURE: whoever gives one back has read a mail of ours.

The signature is HMAC-SHA256, cut to 80 bits, over a text that begins with what is signed, so that an address can never
pass for a Message-ID. `key` are the bytes of the channel's setting `reply_key`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from uuid import UUID

_SIGNATURE_BYTES = 10
_MESSAGE_ID = re.compile(r"<?([0-9a-f]{32})\.([a-z2-7]{16})@[^<>\s]{1,255}>?")
_TOKEN = re.compile(r"[a-z2-7]{42}")
_MARK = "+okno."


def key_of(setting: str) -> bytes:
    """Return the key written as hex in `reply_key`; empty (which proves nothing) where there is none."""
    try:
        return bytes.fromhex(setting)
    except ValueError:
        return b""


def message_id(reply_id: UUID, key: bytes, domain: str) -> str:
    """Return the Message-ID of a reply, with its brackets; the same reply always has the same."""
    return f"<{reply_id.hex}.{_signature(b'message-id', reply_id, key)}@{domain}>"


def is_ours(message_id: str, key: bytes) -> bool:
    """Tell whether a Message-ID was made by `message_id` with this key."""
    found = _MESSAGE_ID.fullmatch(message_id)
    return bool(key and found) and _fits(b"message-id", UUID(found[1]), found[2], key)  # type: ignore[index]


def address(base_address: str, conversation_id: UUID, key: bytes) -> str:
    """Return where answers of a conversation are to go: `support+okno.TOKEN@example.com`.

    The token is 42 characters, so the local part stays within 64 (RFC 5321, 4.5.3.1.1) for one of up to 16.
    """
    local, _, domain = base_address.rpartition("@")
    return f"{local}{_MARK}{_base32(conversation_id.bytes)}{_signature(b'address', conversation_id, key)}@{domain}"


def conversation_of(address: str, key: bytes) -> UUID | None:
    """Return the conversation a reply address belongs to, None for any other address or a wrong signature."""
    token = _token(address)
    if not key or not token:
        return None
    conversation_id = UUID(bytes=base64.b32decode(token[:26].upper() + "======"))
    return conversation_id if _fits(b"address", conversation_id, token[26:], key) else None


def is_forged(address: str, key: bytes) -> bool:
    """Tell whether an address names a conversation as ours do, but was not made with this key."""
    return bool(key and _token(address)) and conversation_of(address, key) is None


def _token(address: str) -> str:
    """Return what stands behind our mark in the local part, empty where it is no token."""
    _, mark, token = address.rpartition("@")[0].lower().rpartition(_MARK)
    return token if mark and _TOKEN.fullmatch(token) else ""


def _fits(purpose: bytes, id_: UUID, signature: str, key: bytes) -> bool:
    return hmac.compare_digest(_signature(purpose, id_, key), signature)


def _signature(purpose: bytes, id_: UUID, key: bytes) -> str:
    return _base32(hmac.digest(key, purpose + b":" + id_.bytes, hashlib.sha256)[:_SIGNATURE_BYTES])


def _base32(data: bytes) -> str:
    """In small letters: addresses and ids are case-blind on their way."""
    return base64.b32encode(data).decode().rstrip("=").lower()
