"""The keys of what travels between services: one a day for everybody, destroyed once nobody needs what it sealed.

A record has done its work when its reader has it in the log, so old copies of it need no key: an erasure takes a new
key, waits until all that was sealed before has been read, and destroys the others.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Collection, Mapping
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.database.protocol import Database, Row, Transaction
from shared.database.schema import create_tables
from shared.keys.derive import derived, keyed_hash
from shared.keys.items import ItemKeys
from shared.keys.pages import WrongKeyStore, note_destruction
from shared.keys.wrapping import kept_key, new_key

LOOK_SECONDS = 5.0
"""How old a process's knowledge of the present key may be."""
DAY_SECONDS = 24 * 3600
KEPT_SECONDS = 31 * DAY_SECONDS
"""A day longer than any topic keeps a record."""
SCHEMA = "CREATE TABLE IF NOT EXISTS wire_keys (id TEXT PRIMARY KEY, sealed BLOB NOT NULL, made_at BIGINT NOT NULL)"


class WireKeys:
    """As one process knows them. `database` is the key store."""

    def __init__(self, database: Database, secret_key: bytes) -> None:
        self._database, self.items = database, ItemKeys(database, secret_key)
        self._wrapping = AESGCM(derived(secret_key, "wire keys"))
        self._hash_key = derived(secret_key, "record keys")
        self._known: dict[str, AESGCM | None] = {}
        self._present: tuple[str, AESGCM] | None = None
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    def create_tables(self) -> None:
        create_tables(self._database, (SCHEMA,))
        self.items.create_tables()

    def record_key(self, key: str) -> str:
        """Return what stands for the key of a record: the same for the same, so order is kept."""
        return keyed_hash(self._hash_key, key)

    def digest(self, value: bytes) -> str:
        """Return 32 hexadecimal digits: the same for the same bytes, telling nothing of them."""
        return hashlib.blake2b(value, key=self._hash_key, digest_size=16, person=b"value").hexdigest()

    async def present(self) -> tuple[str, AESGCM]:
        """Return the key to seal with and its id. Raises DatabaseUnavailable, WrongKeyStore."""
        if self._present is not None and time.monotonic() - self._looked_at < LOOK_SECONDS:
            return self._present
        async with self._looking:
            if self._present is None or time.monotonic() - self._looked_at > LOOK_SECONDS:
                at = time.monotonic()
                self._take(await asyncio.to_thread(self._find_present))
                self._looked_at = at
            assert self._present is not None
            return self._present

    async def openers(self, ids: Collection[str]) -> Mapping[str, AESGCM | None]:
        """Return keys by id, None for one that was destroyed. Raises DatabaseUnavailable, WrongKeyStore."""
        if missing := [id_ for id_ in ids if id_ not in self._known]:
            rows = await asyncio.to_thread(self._read, missing)
            self._known |= {id_: kept_key(self._wrapping, id_, bytes(sealed)) for id_, sealed in rows}
            if lacking := set(missing) - self._known.keys():
                raise WrongKeyStore(f"the key store lacks {sorted(lacking)}, which records were sealed with")
        return self._known

    async def rotate(self) -> list[str]:
        """Make a new present key; return the ids of those before it that are not destroyed yet."""
        older, made = await asyncio.to_thread(self._rotate)
        self._take(made)
        return older

    async def destroy(self, ids: Collection[str]) -> int:
        """Overwrite keys; return how many there still were. A backup that is being made meanwhile is begun anew."""
        destroyed = await asyncio.to_thread(self._destroy, ids)
        self._known |= dict.fromkeys(ids)
        return destroyed

    def missing(self, ids: Collection[str]) -> set[str]:
        """Return those ids for which the store has nothing, not even that the key was destroyed."""
        return set(ids) - {id_ for id_, _ in self._read(ids)}

    def give_up(self, ids: Collection[str]) -> None:
        """Put destroyed keys in the place of missing ones; one that is there stays as it is."""
        rows = [(id_, b"", 0) for id_ in sorted(ids)]
        with self._database.writing() as tx:
            tx.insert_many("wire_keys", ("id", "sealed", "made_at"), rows, "ON CONFLICT (id) DO NOTHING")
            note_destruction(tx, 0)

    async def destroy_old(self) -> int:
        """Destroy the keys of records that no topic has any more; return how many."""
        letters = await asyncio.to_thread(self.items.destroy_letters, int(time.time()) - KEPT_SECONDS)
        return letters + await self.destroy(await asyncio.to_thread(self._old))

    def _take(self, row: Row) -> None:
        id_ = row[0]
        if self._present is None or self._present[0] != id_:
            cipher = kept_key(self._wrapping, id_, bytes(row[1]))
            assert cipher is not None
            self._present = (id_, cipher)
            self._known[id_] = cipher

    def _find_present(self) -> Row:
        """Return the newest key, a new one once a day. Two processes may make one each: both are good."""
        with self._database.reading() as tx:
            row = tx.row("SELECT id, sealed, made_at FROM wire_keys ORDER BY made_at DESC, id DESC LIMIT 1")
        if row is not None and len(row[1]) and row[2] > time.time() - DAY_SECONDS:
            return row
        with self._database.writing() as tx:
            return self._make(tx, row[2] + 1 if row else 0)

    def _rotate(self) -> tuple[list[str], Row]:
        with self._database.writing() as tx:
            older = tx.rows("SELECT id, made_at FROM wire_keys WHERE length(sealed) > 0")
            made = self._make(tx, 1 + max((made_at for _, made_at in older), default=0))
            return [id_ for id_, _ in older], made

    def _make(self, tx: Transaction, not_before: int) -> Row:
        """The newest is the present one, also where two are made within a second."""
        id_ = str(uuid4())
        row = (id_, new_key(self._wrapping, id_), max(int(time.time()), not_before))
        tx.insert_many("wire_keys", ("id", "sealed", "made_at"), [row])
        return row

    def _destroy(self, ids: Collection[str]) -> int:
        sql = "UPDATE wire_keys SET sealed = ? WHERE id = ? AND length(sealed) > 0"
        with self._database.writing() as tx:
            destroyed = sum(tx.run(sql, (b"", id_)) for id_ in ids)
            if destroyed:
                note_destruction(tx, destroyed)
            return destroyed

    def _old(self) -> list[str]:
        before = int(time.time()) - KEPT_SECONDS
        with self._database.reading() as tx:
            rows = tx.rows("SELECT id FROM wire_keys WHERE made_at < ? AND length(sealed) > 0", (before,))
        return [id_ for (id_,) in rows]

    def _read(self, ids: Collection[str]) -> list[Row]:
        with self._database.reading() as tx:
            return tx.rows_in("SELECT id, sealed FROM wire_keys WHERE id", list(ids))
