"""Where keys lie: 64 to a page, sealed with OKNO_SECRET_KEY; a destroyed key is a slot of zeros, for ever.

A page is durable before a key of it is used, and belongs to the process that made it: no two seal with one key.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.database.columns import tables_like
from shared.database.protocol import Database, Transaction
from shared.database.schema import create_tables
from shared.keys.derive import derived

KEY_BYTES = 32
KEYS = 64
"""Keys of a page: making or reading one page costs little more than one key would."""
PAGE_ID_BYTES = 16
CHECKPOINT_PAGES = 512
_NONCE_BYTES = 12
_NOTHING = bytes(KEY_BYTES)

DESTRUCTIONS = (
    "CREATE TABLE IF NOT EXISTS key_destructions (number BIGINT PRIMARY KEY, keys BIGINT NOT NULL, at BIGINT NOT NULL)"
)
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS key_pages (id BLOB PRIMARY KEY, sealed BLOB NOT NULL);
{DESTRUCTIONS};
CREATE TABLE IF NOT EXISTS erased (customer_id TEXT PRIMARY KEY, at BIGINT NOT NULL)
"""


class WrongKeyStore(Exception):
    """The key store is not the one this database was written with, or OKNO_SECRET_KEY is another one."""


class KeyPages:
    """The table of one key store. Its calls block for a moment and may come from any thread."""

    def __init__(self, database: Database, secret_key: bytes) -> None:
        self._database, self._made = database, 0
        self._wrapping = AESGCM(derived(secret_key, "content keys"))
        self._witness = AESGCM(derived(secret_key, "wire keys"))

    def create_tables(self) -> None:
        create_tables(self._database, (SCHEMA,))

    def make(self, count: int) -> list[tuple[bytes, bytes]]:
        """Return new pages as (id, keys) once they are durable."""
        pages = [(_page_id(), os.urandom(KEY_BYTES * KEYS)) for _ in range(count)]
        rows = [(id_, self._sealed(id_, keys)) for id_, keys in pages]
        with self._database.writing() as tx:
            tx.insert_many("key_pages", ("id", "sealed"), rows)
        self._made += count
        if self._made >= CHECKPOINT_PAGES and self._database.dialect == "sqlite":
            self._made = 0
            self._database.wipe(())  # nobody else copies the write-ahead log of this file
        return pages

    def load(self, ids: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the keys of pages by id. Raises WrongKeyStore when one is missing."""
        with self._database.reading() as tx:
            rows = _rows_of(tx, ids)
        found = {bytes(id_): self._opened(bytes(id_), bytes(sealed)) for id_, sealed in rows}
        if missing := set(ids) - found.keys():
            raise WrongKeyStore(f"the key store lacks {len(missing)} pages of keys that the log was sealed with")
        return found

    def missing(self, ids: Collection[bytes]) -> set[bytes]:
        """Return those pages that the store lacks, or has damaged; with another OKNO_SECRET_KEY that is all of them."""
        with self._database.reading() as tx:
            return set(ids) - {bytes(id_) for id_, sealed in _rows_of(tx, sorted(ids)) if self._opens(id_, sealed)}

    def refuse_another_secret(self) -> None:
        """Raises WrongKeyStore when all that is in the store was sealed with another OKNO_SECRET_KEY."""
        with self._database.reading() as tx:
            self._refuse_another_secret(tx)

    def give_up(self, ids: Collection[bytes]) -> None:
        """Put pages of destroyed keys in the place of missing or damaged ones; one that is there stays as it is.

        Raises WrongKeyStore as `refuse_another_secret`: what this secret does not open may be whole.
        """
        with self._database.writing() as tx:
            self._refuse_another_secret(tx)
            damaged = [id_ for id_, sealed in _rows_of(tx, sorted(ids)) if not self._opens(id_, sealed)]
            for id_ in damaged:
                tx.run("DELETE FROM key_pages WHERE id = ?", (id_,))
            rows = [(id_, self._sealed(id_, bytes(KEY_BYTES * KEYS))) for id_ in sorted(ids)]
            tx.insert_many("key_pages", ("id", "sealed"), rows, "ON CONFLICT (id) DO NOTHING")
            note_destruction(tx, 0)

    def destroy(self, keys: Collection[tuple[bytes, int]]) -> int:
        """Overwrite keys, given as (page, slot), with zeros; return how many of them still were keys."""
        slots: defaultdict[bytes, set[int]] = defaultdict(set)
        for page, slot in keys:
            slots[page].add(slot)
        pages = sorted(slots)
        destroyed = 0
        for start in range(0, len(pages), 200):
            with self._database.writing() as tx:
                destroyed += self._overwrite(tx, {page: slots[page] for page in pages[start : start + 200]})
        return destroyed

    def note_erased(self, customers: Collection[UUID]) -> None:
        """Remember who was erased: a backup that is restored may not know."""
        rows = [(str(customer_id), int(time.time())) for customer_id in customers]
        with self._database.writing() as tx:
            tx.insert_many("erased", ("customer_id", "at"), rows, "ON CONFLICT DO NOTHING")

    def erased(self) -> list[UUID]:
        with self._database.reading() as tx:
            return [UUID(id_) for (id_,) in tx.rows("SELECT customer_id FROM erased ORDER BY at, customer_id")]

    def destructions(self) -> int:
        """Return how often keys were destroyed: who holds keys in memory drops them when this grows."""
        with self._database.reading() as tx:
            return _destructions(tx)

    def wipe(self) -> None:
        """Leave no old version of a page in the files of the store."""
        self._database.wipe(("key_pages",))

    def _refuse_another_secret(self, tx: Transaction) -> None:
        """Where no page opens, the keys of what travels tell whether they are all damaged."""
        ids = [id_ for (id_,) in tx.rows("SELECT id FROM key_pages ORDER BY id")]
        if not ids or any(self._opens(*row) for id_ in ids for row in _rows_of(tx, [id_])):
            return
        if "wire_keys" in tables_like(tx, "wire_keys"):
            rows = tx.rows("SELECT id, sealed FROM wire_keys WHERE length(sealed) > 0")
            if any(_opens_with(self._witness, id_.encode(), bytes(sealed)) for id_, sealed in rows):
                return
        raise WrongKeyStore(_ANOTHER)

    def _overwrite(self, tx: Transaction, slots: Mapping[bytes, set[int]]) -> int:
        lock = " FOR UPDATE" if tx.dialect == "postgres" else ""
        destroyed = 0
        for id_, sealed in _rows_of(tx, sorted(slots), lock):
            page = bytes(id_)
            keys = bytearray(self._opened(page, bytes(sealed)))
            for slot in slots[page]:
                place = slice(slot * KEY_BYTES, (slot + 1) * KEY_BYTES)
                destroyed += keys[place] != _NOTHING
                keys[place] = _NOTHING
            tx.run("UPDATE key_pages SET sealed = ? WHERE id = ?", (self._sealed(page, bytes(keys)), page))
        if destroyed:
            note_destruction(tx, destroyed)
        return destroyed

    def _sealed(self, id_: bytes, keys: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._wrapping.encrypt(nonce, keys, id_)

    def _opened(self, id_: bytes, sealed: bytes) -> bytes:
        try:
            return self._wrapping.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], id_)
        except (InvalidTag, ValueError) as error:  # ValueError: too short to be a page at all
            raise WrongKeyStore(_ANOTHER) from error

    def _opens(self, id_: bytes, sealed: bytes) -> bool:
        return _opens_with(self._wrapping, bytes(id_), bytes(sealed))


def _opens_with(wrapping: AESGCM, id_: bytes, sealed: bytes) -> bool:
    try:
        return bool(wrapping.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], id_))
    except (InvalidTag, ValueError):
        return False


_ANOTHER = "OKNO_SECRET_KEY is not the one these keys were made with, or a page of them was damaged"


def _rows_of(tx: Transaction, ids: Sequence[bytes], tail: str = "") -> list[tuple[bytes, bytes]]:
    rows: list[tuple[bytes, bytes]] = []
    for start in range(0, len(ids), 200):
        part = list(ids[start : start + 200])
        sql = f"SELECT id, sealed FROM key_pages WHERE id IN ({','.join('?' * len(part))})"
        rows += [(id_, sealed) for id_, sealed in tx.rows(f"{sql} ORDER BY id{tail}", part)]
    return rows


def note_destruction(tx: Transaction, keys: int) -> None:
    """Let everybody who holds keys, or is writing a backup, know that so many of them are gone."""
    values = (_destructions(tx) + 1, keys, int(time.time()))
    tx.insert_many("key_destructions", ("number", "keys", "at"), [values], "ON CONFLICT DO NOTHING")


def _destructions(tx: Transaction) -> int:
    row = tx.row("SELECT COALESCE(MAX(number), 0) FROM key_destructions")
    return int(row[0]) if row else 0


def _page_id() -> bytes:
    """Ids grow with time, so that keys made together lie together (as in RFC 9562, section 5.7)."""
    return (time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(PAGE_ID_BYTES - 6)
