"""The keys as one process holds them: one for each customer, channel and week to seal with, any of them to open with.

A key seals in one process only and is forgotten when it falls out of memory: the next event takes a new one. Which keys
a customer has is told by the events themselves, so nothing is written, looked up or fought over when one is taken.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.database.protocol import Database
from shared.keys.derive import derived, keyed_hash
from shared.keys.kept import Kept
from shared.keys.pages import KEY_BYTES, KEYS, PAGE_ID_BYTES, KeyPages, WrongKeyStore

KEY_ID_BYTES = PAGE_ID_BYTES + 1
WEEK_SECONDS = 7 * 24 * 3600
SEALING = 10_000
OPENING = 20_000
PAGES = 4_000
"""What is kept in memory: 8 MB of pages, 256,000 keys."""
MOST_PAGES = 16
LOOK_SECONDS = 5.0
"""For so long a process may hold keys that another one has destroyed."""
_NOTHING = bytes(KEY_BYTES)
NOBODY = b"\xff" * KEY_ID_BYTES
"""Names the keys that nobody keeps: what they sealed is erased from the start."""


def week_of(at: datetime) -> int:
    """Return the number of the week that content recorded at a moment belongs to."""
    return int(at.timestamp()) // WEEK_SECONDS


@dataclass(slots=True)
class Key:
    """A key to seal with. Its nonces are counted (NIST SP 800-38D, 8.2.1): it seals nowhere else.

    Threads share it: two sealings with one number would give both away, so each takes the next in one step.
    """

    id: bytes
    cipher: AESGCM
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def seal(self, data: bytes, beside: bytes = b"") -> tuple[int, bytes]:
        """Return a number and the sealed data; `beside` is not sealed, but bound to it."""
        number = next(self._numbers)
        return number, self.cipher.encrypt(nonce(number), data, beside)


def nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


class KeyRing:
    """Used from any thread. `database` is the key store: not the one that holds what is sealed."""

    def __init__(self, database: Database, secret_key: bytes) -> None:
        self.database, self.pages = database, KeyPages(database, secret_key)
        self._hash_key = derived(secret_key, "pseudonyms")
        self._vouch_key = derived(secret_key, "events sealed anew")
        self._lock = threading.RLock()
        self._maker = ThreadPoolExecutor(1, "okno-keys")
        self._free: list[tuple[bytes, int, bytes]] = []
        self._making: Future[list[tuple[bytes, bytes]]] | None = None
        self._made = 1
        self._sealing: OrderedDict[tuple[int, int, int], Key] = OrderedDict()
        self._opening: Kept[AESGCM | None] = Kept(OPENING)
        self._pages: Kept[bytes] = Kept(PAGES)
        self._destructions, self._looked_at = -1, float("-inf")

    def pseudonym(self, text: str) -> str:
        """Return what stands for a text where only its being the same matters."""
        return keyed_hash(self._hash_key, text) if text else ""

    def to_seal(self, customer_id: UUID, channel_id: UUID | None, at: datetime) -> Key:
        """Return the key of a customer for what is recorded at a moment; `channel_id` None: of no channel."""
        return self.to_seal_in(customer_id, channel_id, week_of(at))

    def to_seal_in(self, customer_id: UUID, channel_id: UUID | None, week: int) -> Key:
        """As `to_seal`, by the number of the week."""
        wanted = (customer_id.int, channel_id.int if channel_id else 0, week)
        with self._lock:
            key = self._sealing.get(wanted)
            if key is None:
                key = self._sealing[wanted] = self._new_key()
                if len(self._sealing) > SEALING:
                    self._sealing.popitem(last=False)
            else:
                self._sealing.move_to_end(wanted)
            return key

    def thrown_away(self) -> Key:
        """Return a key that is kept nowhere, for what still comes of somebody who was erased."""
        return Key(NOBODY, AESGCM(os.urandom(KEY_BYTES)))

    def vouch(self, data: bytes) -> bytes:
        """Return what only a holder of OKNO_SECRET_KEY can have said of some bytes."""
        return hashlib.blake2b(data, key=self._vouch_key, digest_size=32).digest()

    def to_open(self, ids: Collection[bytes]) -> Mapping[bytes, AESGCM | None]:
        """Return keys by id, None for one that was destroyed. Raises WrongKeyStore."""
        with self._lock:
            self._drop_destroyed()
            found = self._opening.of(ids)
            if NOBODY in ids:
                found[NOBODY] = None
            if missing := set(ids) - found.keys():
                found |= self._load(missing)
            return found

    def destroy(self, ids: Collection[bytes]) -> int:
        """Destroy keys for good; return how many there still were. Other processes forget them in LOOK_SECONDS."""
        destroyed = self.pages.destroy({_place(id_) for id_ in ids})
        self.forget()
        return destroyed

    def destructions(self) -> int:
        """Return how often keys were destroyed: what was opened while there were fewer is not to be remembered."""
        with self._lock:
            self._drop_destroyed()
            return self._destructions

    def forget(self) -> None:
        """Drop every key from memory: what is sealed from now on is sealed with new ones."""
        with self._lock:
            self._sealing.clear()
            self._opening.clear()
            self._pages.clear()

    def create_tables(self) -> None:
        self.pages.create_tables()

    async def close(self) -> None:
        """Give back the key store's connections too."""
        await asyncio.get_running_loop().run_in_executor(None, self._maker.shutdown)
        await self.database.close()

    def _new_key(self) -> Key:
        if not self._free:
            self._refill()
        page, slot, key = self._free.pop()
        if len(self._free) < KEYS // 2 and self._making is None:
            self._making = self._maker.submit(self.pages.make, self._made)
        return Key(page + bytes((slot,)), AESGCM(key))

    def _refill(self) -> None:
        """Take the pages made ahead; when they are not there in time, make twice as many from now on."""
        making, self._making = self._making, None
        if making is None or not making.done():
            self._made = min(MOST_PAGES, self._made * 2)
        for page, keys in making.result() if making else self.pages.make(self._made):
            slots = ((page, slot, keys[slot * KEY_BYTES : (slot + 1) * KEY_BYTES]) for slot in range(KEYS))
            self._free.extend(reversed(list(slots)))

    def _load(self, ids: Iterable[bytes]) -> dict[bytes, AESGCM | None]:
        pages = self._pages_of({id_[:PAGE_ID_BYTES] for id_ in ids})
        found: dict[bytes, AESGCM | None] = {}
        for id_ in ids:
            if id_[PAGE_ID_BYTES] >= KEYS:
                raise WrongKeyStore(f"the key store has no key {id_.hex()}: were bytes of the log changed?")
            at = id_[PAGE_ID_BYTES] * KEY_BYTES
            key = pages[id_[:PAGE_ID_BYTES]][at : at + KEY_BYTES]
            found[id_] = None if key == _NOTHING else AESGCM(key)
        self._opening.keep(found)
        return found

    def _pages_of(self, ids: Collection[bytes]) -> Mapping[bytes, bytes]:
        pages = self._pages.of(ids)
        if missing := set(ids) - pages.keys():
            loaded = self.pages.load(sorted(missing))
            pages |= loaded
            self._pages.keep(loaded)
        return pages

    def _drop_destroyed(self) -> None:
        at = time.monotonic()
        if at - self._looked_at < LOOK_SECONDS:
            return
        destructions, self._looked_at = self.pages.destructions(), at
        if destructions != self._destructions:
            self._destructions = destructions
            self._opening.clear()
            self._pages.clear()


def _place(id_: bytes) -> tuple[bytes, int]:
    return id_[:PAGE_ID_BYTES], id_[PAGE_ID_BYTES]
