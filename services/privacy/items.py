"""Whose keys of single things go with an erasure: of what a backup had under way, and of dead letters about them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator
from uuid import UUID

from services.privacy.found import Found
from shared.contracts.inbound import Address, partition_key
from shared.database.protocol import Database, Row
from shared.keys.wire import WireKeys
from shared.transport.protocol import Record
from shared.transport.sealed import ITEM, opening

TELLING = 6
"""Shorter addresses (an extension, say) stand in texts about anybody."""
_PART = 500


def ids_of(database: Database, found: Found, conversations: Collection[UUID]) -> set[str]:
    """Return the ids of inbound items and replies; of these conversations also of those that only repeated others.

    And of those that were copies of any of them under an id of their own; but none of a message that was moved away.
    """
    wanted = sorted(map(str, conversations))
    ids = set(map(str, found.items | found.replies))
    for start in range(0, len(wanted), _PART):
        with database.reading() as tx:
            sql = "SELECT id FROM routing_seen WHERE conversation_id"
            ids |= {id_ for (id_,) in tx.rows_in(sql, wanted[start : start + _PART])}
    return _with_copies(database, ids) - _with_copies(database, {str(trace.cause) for trace in found.moved_out})


def files_of(database: Database, ids: Collection[str]) -> set[str]:
    """Return the sha256 of raw bytes that only copies have."""
    return {sha256 for (sha256,) in _rows(database, "SELECT sha256 FROM routing_copy_files WHERE id", ids)}


def forget_files(database: Database, ids: Collection[str]) -> None:
    with database.writing() as tx:
        tx.run_many("DELETE FROM routing_copy_files WHERE id = ?", [(id_,) for id_ in sorted(ids)])


def _with_copies(database: Database, ids: set[str]) -> set[str]:
    """A copy may be one of a further id of an item."""
    found, new = set(ids), set(ids)
    while new:
        new = {id_ for (id_,) in _rows(database, "SELECT id FROM routing_copies WHERE copy_of", new)} - found
        found |= new
    return found


def _rows(database: Database, sql: str, ids: Collection[str]) -> Iterator[Row]:
    wanted = sorted(ids)
    for start in range(0, len(wanted), _PART):
        with database.reading() as tx:
            yield from tx.rows_in(sql, wanted[start : start + _PART])


async def letters_about(
    letters: AsyncIterator[list[Record]], keys: WireKeys, addresses: Collection[tuple[str, str]]
) -> set[str]:
    """Return the ids of the dead letters that came from one of these addresses, or have one of them in their text.

    What cannot be read as a message cannot be known better; nobody misses a letter that names somebody else too.
    """
    found: set[str] = set()
    senders = {_twice(keys, partition_key(Address(kind, address))) for kind, address in addresses}
    words = [address.lower() for _, address in addresses if len(address) >= TELLING]
    async for batch in letters:
        ids = {(each.source, each.offset): each.headers[ITEM] for each in batch if ITEM in each.headers}
        async for opened in opening(_one(batch), keys):
            for record in (each for each in opened if (each.source, each.offset) in ids):
                text = record.value.decode("utf-8", "replace").lower()
                if record.key in senders or any(word in text for word in words):
                    found.add(ids[record.source, record.offset])
    return found


def _twice(keys: WireKeys, key: str) -> str:
    """Whoever buries a record knows the hash of its key only, which is hashed again."""
    return keys.record_key(keys.record_key(key))


async def _one(batch: list[Record]) -> AsyncIterator[list[Record]]:
    yield batch
