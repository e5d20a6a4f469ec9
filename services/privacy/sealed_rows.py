"""Rows of the ledger and the fetch queue as a backup has them: what is still to be done sealed, what is done emptied.

Sealed with a key of the reply or the inbound item, which goes with whoever it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.privacy.tables import GONE
from shared.database.protocol import Row
from shared.keys.items import Ciphers, ItemKeys
from shared.keys.wrapping import seal, unseal

WITH_CONTENT: dict[str, dict[str, Any]] = {
    "deliveries": {"payload": b"", "error": "", "external_id": "", "known_as": "[]"},
    "fetches": {"key": "", "file": "", "result": None},
    "webhook_deliveries": {"answer": ""},
}
"""The columns with content, and what they are emptied to."""
_BELONGS_TO = {"deliveries": "reply_id", "fetches": "inbound_id"}
_MARK = "okno sealed "


def sealed(table: str, names: Sequence[str], rows: Sequence[Row], keys: ItemKeys) -> list[Row]:
    """Return rows as a backup has them, without those of which nothing is needed."""
    whole = [dict(zip(names, row, strict=True)) for row in rows]
    whole = [row for row in whole if not (table == "fetches" and row["state"] == "told")]
    ciphers = keys.take([row[_BELONGS_TO[table]] for row in whole if not _is_done(table, row)])
    return [_sealed(table, row, ciphers) for row in whole]


def opened(table: str, row: dict[str, Any], ciphers: Ciphers) -> dict[str, Any] | None:
    """Return the row as it was, None for one that nobody needs; a reply to somebody who was erased has failed."""
    if (packed := _packed(table, row)) is None:
        return row
    id_ = row[_BELONGS_TO[table]]
    if (cipher := ciphers[id_]) is not None:
        return {**row, **msgspec.msgpack.decode(unseal(cipher, id_, packed))}
    if table != "deliveries":
        return None
    empty = {**row, **WITH_CONTENT[table]}
    if row["state"] not in ("queued", "waiting", "sending"):
        return empty
    return {**empty, "state": "failed", "code": "erased", "error": GONE, "owner": ""}


def key_of(table: str, row: Mapping[str, Any]) -> str | None:
    """Return the id of the key that a row was sealed with."""
    return row[_BELONGS_TO[table]] if _packed(table, row) is not None else None


def _is_done(table: str, row: Mapping[str, Any]) -> bool:
    return table == "webhook_deliveries" or (table == "deliveries" and bool(row["announced"]))


def _sealed(table: str, row: dict[str, Any], ciphers: Ciphers) -> Row:
    empty = WITH_CONTENT[table]
    if _is_done(table, row):
        return tuple({**row, **empty}.values())
    first, id_ = next(iter(empty)), row[_BELONGS_TO[table]]
    cipher = ciphers[id_]
    packed = seal(cipher, id_, msgspec.msgpack.encode({name: row[name] for name in empty})) if cipher else b""
    text = f"{_MARK}{packed.hex()}"
    return tuple({**row, **empty, first: text.encode() if isinstance(empty[first], bytes) else text}.values())


def _packed(table: str, row: Mapping[str, Any]) -> bytes | None:
    value = row[next(iter(WITH_CONTENT[table]))]
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if not isinstance(text, str) or not text.startswith(_MARK):
        return None
    return bytes.fromhex(text.removeprefix(_MARK))
