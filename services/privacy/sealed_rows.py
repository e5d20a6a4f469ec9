"""Rows of the ledger and the fetch queue as a backup has them: what is still to be done sealed, what is done emptied.

Sealed with the key of what travels, which an erasure destroys once all has been read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.database.protocol import Row

WITH_CONTENT: dict[str, dict[str, Any]] = {
    "deliveries": {"payload": b"", "error": "", "external_id": "", "known_as": "[]"},
    "fetches": {"key": "", "file": "", "result": None},
    "webhook_deliveries": {"answer": ""},
}
"""The columns with content, and what they are emptied to."""
_NONCE_BYTES = 12
_MARK = "okno sealed "


def sealed(table: str, row: dict[str, Any], key_id: str, cipher: AESGCM) -> Row | None:
    """Return the row as a backup has it, None when nothing of it is needed."""
    empty = WITH_CONTENT[table]
    if table == "fetches" and row["state"] == "told":
        return None
    if table == "webhook_deliveries" or (table == "deliveries" and row["announced"]):
        return tuple({**row, **empty}.values())
    nonce = os.urandom(_NONCE_BYTES)
    content = msgspec.msgpack.encode({name: row[name] for name in empty})
    first, *_ = (name for name, value in row.items() if name in empty)
    packed = nonce + cipher.encrypt(nonce, content, key_id.encode())
    text = f"{_MARK}{key_id} {packed.hex()}"
    return tuple({**row, **empty, first: text.encode() if isinstance(empty[first], bytes) else text}.values())


def opened(table: str, row: dict[str, Any], ciphers: Mapping[str, AESGCM | None]) -> dict[str, Any] | None:
    """Return the row as it was; None when its key was destroyed: what it was about is erased."""
    for name in WITH_CONTENT[table]:
        if (found := _packed(row[name])) is None:
            continue
        key_id, packed = found
        if (cipher := ciphers.get(key_id)) is None:
            return None
        content = msgspec.msgpack.decode(cipher.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], key_id.encode()))
        return {**row, **content}
    return row


def key_of(table: str, row: Mapping[str, Any]) -> str | None:
    """Return the id of the key that a row was sealed with."""
    return next((found[0] for name in WITH_CONTENT[table] if (found := _packed(row[name]))), None)


def _packed(value: object) -> tuple[str, bytes] | None:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if not isinstance(text, str) or not text.startswith(_MARK):
        return None
    key_id, _, digits = text.removeprefix(_MARK).partition(" ")
    return key_id, bytes.fromhex(digits)
