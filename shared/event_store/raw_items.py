"""The raw bytes that travelled with inbound events, by the position of the event they came with."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag

from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store.log import read_log
from shared.keys.pages import WrongKeyStore
from shared.keys.ring import KEY_ID_BYTES, Key, nonce

SCHEMA = "CREATE TABLE IF NOT EXISTS raw_items (position BIGINT PRIMARY KEY, data BLOB NOT NULL)"


_SEALED = b"\x00okno sealed\x01"
"""Begins what is sealed; then the key's id, the number of the sealing (4 bytes), the sealed bytes."""
_HEAD = len(_SEALED) + KEY_ID_BYTES
_OVERHEAD = _HEAD + 4 + 16


def sealed_raw(key: Key, data: bytes) -> bytes:
    """Return raw bytes as they are kept."""
    number, sealed = key.seal(data, _SEALED)
    return b"".join((_SEALED, key.id, number.to_bytes(4, "big"), sealed))


def any_plain(tx: Transaction, positions: Sequence[object]) -> bool:
    """Return whether any of these was kept before there were keys."""
    where = f"position IN ({','.join('?' * len(positions))}) AND substr(data, 1, ?) <> ?"
    return tx.row(f"SELECT 1 FROM raw_items WHERE {where} LIMIT 1", (*positions, len(_SEALED), _SEALED)) is not None


def reseal(tx: Transaction, position: int, key: Key) -> None:
    """Seal the raw bytes of an event with another key, as far as they are here and can be read."""
    if (data := raw_item(tx, position)) is not None:
        tx.run("UPDATE raw_items SET data = ? WHERE position = ?", (sealed_raw(key, data), position))


def raw_item(tx: Transaction, position: int) -> bytes | None:
    """Return the bytes, None when they are not here but in blobs, or their key was destroyed. Raises WrongKeyStore."""
    row = tx.row("SELECT data FROM raw_items WHERE position = ?", (position,))
    return _opened(tx, bytes(row[0])) if row else None


def _opened(tx: Transaction, data: bytes) -> bytes | None:
    if not data.startswith(_SEALED):
        return data
    if tx.keys is None:
        raise WrongKeyStore("raw items are sealed: they can be read with their key store only")
    id_ = data[len(_SEALED) : _HEAD]
    cipher = tx.keys.to_open({id_})[id_]
    number = int.from_bytes(data[_HEAD : _HEAD + 4], "big")
    opened: bytes | None = cipher.decrypt(nonce(number), data[_HEAD + 4 :], _SEALED) if cipher else None
    return opened


def fingerprints(tx: Transaction, after: int, until: int, *, read_bytes: bool) -> dict[int, str]:
    """Return the sha256 of the raw bytes by position, only their size as text where they are not to be read.

    Bytes whose key was destroyed are not here.
    """
    where = "FROM raw_items WHERE position > ? AND position <= ?"
    if not read_bytes:
        head = f"SELECT position, length(data), substr(data, 1, {len(_SEALED)})"
        rows = tx.rows(f"{head} {where}", (after, until))
        return {position: str(size - _OVERHEAD * (_bytes(begin) == _SEALED)) for position, size, begin in rows}
    kept = {position: _bytes(data) for position, data in tx.rows(f"SELECT position, data {where}", (after, until))}
    ids = {data[len(_SEALED) : _HEAD] for data in kept.values() if data.startswith(_SEALED)}
    if ids and tx.keys is not None:
        tx.keys.to_open(ids)  # all at once
    whole = {position: _readable(tx, data) for position, data in kept.items()}
    return {position: sha256(data).hexdigest() for position, data in whole.items() if data is not None}


def _readable(tx: Transaction, data: bytes) -> bytes | None:
    """Sealed bytes that somebody changed are shown as they lie there: their hash is not the one recorded."""
    try:
        return _opened(tx, data)
    except InvalidTag:
        return data


def _bytes(data: bytes | str) -> bytes:
    """Text where bytes belong is what somebody wrote there by hand."""
    return data.encode() if isinstance(data, str) else bytes(data)


def raw_at(tx: Transaction, position: int) -> e.Raw | None:
    """Return what is known of the raw item that came with the event at a position."""
    for recorded in read_log(tx, position - 1, 1):
        if recorded.position == position:
            raw: e.Raw | None = getattr(recorded.event, "raw", None)
            return raw
    return None
