"""Whose keys of single things go with an erasure: of what a backup had under way, and of dead letters about them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from uuid import UUID

from services.privacy.found import Found
from shared.contracts.inbound import Address, partition_key
from shared.database.protocol import Database
from shared.keys.wire import WireKeys
from shared.transport.protocol import Record
from shared.transport.sealed import ITEM, opening

TELLING = 6
"""Shorter addresses (an extension, say) stand in texts about anybody."""
_PART = 500


def ids_of(database: Database, found: Found, conversations: Collection[UUID]) -> set[str]:
    """Return the ids of inbound items and replies; of these conversations also of those that only repeated others.

    And of those that were copies of any of them under an id of their own.
    """
    wanted = sorted(map(str, conversations))
    ids = set(map(str, found.items | found.replies))
    for start in range(0, len(wanted), _PART):
        with database.reading() as tx:
            sql = "SELECT id FROM routing_seen WHERE conversation_id"
            ids |= {id_ for (id_,) in tx.rows_in(sql, wanted[start : start + _PART])}
    ids -= {str(trace.cause) for trace in found.moved_out}
    return ids | _copies(database, sorted(ids))


def _copies(database: Database, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), _PART):
        with database.reading() as tx:
            rows = tx.rows_in("SELECT id FROM routing_copies WHERE copy_of", ids[start : start + _PART])
        found |= {id_ for (id_,) in rows}
    return found


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
