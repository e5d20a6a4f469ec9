"""Files that something not in the log yet refers to: what was published and not read, what was fetched and not told.

A file is deleted with somebody only when nobody else has it, and these will.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from services.privacy.readers import READERS, places
from shared.contracts import codec
from shared.contracts.codec import UndecodableRecord
from shared.contracts.files import FileFetched
from shared.database.protocol import Database, Transaction
from shared.event_store.store import EventStore
from shared.keys.wire import WireKeys
from shared.transport.protocol import Record, Transport
from shared.transport.sealed import opening

Look = Callable[..., AsyncIterator[list[Record]]]
"""Reads a topic, `behind` the offsets of some sources."""
_PART = 200


async def sha256s(database: Database, store: EventStore, transport: Transport, look: Look, keys: WireKeys) -> set[str]:
    """Return the sha256 of those files: asked before the log is, so what is read meanwhile is seen there."""
    found = await database.read(_fetched)
    behind = await places(store, transport)
    for topic, _, _ in READERS:
        async for records in opening(look(topic, behind=behind), keys):
            found |= {sha256 for record in records for sha256 in _of(record.value, record.headers)}
    return found


def _fetched(tx: Transaction) -> set[str]:
    found, last = set[str](), ""
    sql = "SELECT id, result, result_type FROM fetches WHERE state = 'done' AND id > ? ORDER BY id LIMIT ?"
    while rows := tx.rows(sql, (last, _PART)):
        found |= {sha256 for _, data, name in rows for sha256 in _of(bytes(data), {"ce_type": name})}
        last = rows[-1][0]
    return found


def _of(value: bytes, headers: dict[str, str]) -> Iterator[str]:
    """Yield what a contract refers to, whatever it is; what is none of ours becomes no event."""
    try:
        contract: Any = codec.decode(value, headers)
    except UndecodableRecord:
        return
    contract = getattr(contract, "item", contract)
    if isinstance(contract, FileFetched):
        yield contract.file.sha256
    for file in getattr(contract, "files", ()):
        yield file.sha256
    if raw := getattr(contract, "raw", None):
        yield raw.sha256
