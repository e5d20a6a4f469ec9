"""Keys of single things that the log has not: what was under way when a backup was made, and dead letters.

One for each, by the thing's id; an erasure destroys those of whoever is erased, and a destroyed one is never made anew.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.database.protocol import Database, Transaction
from shared.database.schema import create_tables
from shared.keys.derive import derived
from shared.keys.pages import DESTRUCTIONS, WrongKeyStore, note_destruction
from shared.keys.wrapping import kept_key, new_key

LETTER = "letter "
"""Begins the ids of dead letters, which are kept no longer than their topic keeps them."""
_PART = 1000
SCHEMA = "CREATE TABLE IF NOT EXISTS item_keys (id TEXT PRIMARY KEY, sealed BLOB NOT NULL, made_at BIGINT NOT NULL)"
Ciphers = Mapping[str, AESGCM | None]


class ItemKeys:
    """The table of one key store. Its calls block for a moment and may come from any thread."""

    def __init__(self, database: Database, secret_key: bytes) -> None:
        self._database = database
        self._wrapping = AESGCM(derived(secret_key, "item keys"))

    def create_tables(self) -> None:
        create_tables(self._database, (SCHEMA, DESTRUCTIONS))

    def take(self, ids: Collection[str]) -> Ciphers:
        """Return the keys of some things, made where there are none yet; None for those that were destroyed."""
        at, wanted = int(time.time()), sorted(set(ids))
        with self._database.writing() as tx:
            known = {id_ for id_, _ in tx.rows_in("SELECT id, sealed FROM item_keys WHERE id", wanted)}
            rows = [(id_, new_key(self._wrapping, id_), at) for id_ in wanted if id_ not in known]
            tx.insert_many("item_keys", ("id", "sealed", "made_at"), rows, "ON CONFLICT (id) DO NOTHING")
            return self._read(tx, wanted)

    def openers(self, ids: Collection[str]) -> Ciphers:
        """Return the keys of some things, None for those that were destroyed. Raises WrongKeyStore."""
        with self._database.reading() as tx:
            found = self._read(tx, sorted(set(ids)))
        if lacking := set(ids) - found.keys():
            raise WrongKeyStore(f"the key store lacks {len(lacking)} keys of single items")
        return found

    def missing(self, ids: Collection[str]) -> set[str]:
        """Return those ids for which the store has nothing, not even that the key was destroyed."""
        with self._database.reading() as tx:
            return set(ids) - {id_ for (id_,) in tx.rows_in("SELECT id FROM item_keys WHERE id", sorted(ids))}

    def give_up(self, ids: Collection[str]) -> None:
        """Put destroyed keys in the place of missing ones; one that is there stays as it is."""
        rows = [(id_, b"", int(time.time())) for id_ in sorted(ids)]
        with self._database.writing() as tx:
            tx.insert_many("item_keys", ("id", "sealed", "made_at"), rows, "ON CONFLICT (id) DO NOTHING")
            note_destruction(tx, 0)

    def destroy(self, ids: Collection[str]) -> int:
        """Overwrite keys; return how many there still were. A backup that is being made meanwhile is begun anew."""
        sql, wanted, destroyed = "UPDATE item_keys SET sealed = ? WHERE id = ? AND length(sealed) > 0", sorted(ids), 0
        with self._database.writing() as tx:
            for start in range(0, len(wanted), _PART):  # most things never had a key of their own
                part = wanted[start : start + _PART]
                known = tx.rows_in("SELECT id FROM item_keys WHERE id", part)
                destroyed += sum(tx.run(sql, (b"", id_)) for (id_,) in known)
            note_destruction(tx, destroyed)
        return destroyed

    def destroy_letters(self, before: int) -> int:
        """Destroy the keys of dead letters that were made before a moment (Unix seconds); return how many."""
        sql = "UPDATE item_keys SET sealed = ? WHERE id LIKE ? AND made_at < ? AND length(sealed) > 0"
        with self._database.writing() as tx:
            return tx.run(sql, (b"", f"{LETTER}%", before))

    def _read(self, tx: Transaction, ids: list[str]) -> dict[str, AESGCM | None]:
        rows = tx.rows_in("SELECT id, sealed FROM item_keys WHERE id", ids)
        return {id_: kept_key(self._wrapping, id_, bytes(sealed)) for id_, sealed in rows}
