"""Files kept by their content: what is large is stored once, durable before its sha256 is told to anyone.

Sealed with a key that follows from the sha256, under a name that does not tell it: who has lost the sha256 (it stands
in sealed events only) has lost the file. Customers who send the same file share it until the last of them is erased.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.durable import sync
from shared.owner_only import make_folder, opener

CHUNK_BYTES = 64 * 1024
"""Each is sealed by itself, so that any part of a long recording can be read alone."""
READ_CHUNKS = 16
_MAGIC = b"oknoblb1"
_HEAD_BYTES = len(_MAGIC) + 8
_TAG_BYTES = 16
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder of blobs, which several processes may share. `secret`: the installation's, up to 64 bytes."""

    def __init__(self, folder: Path, secret: bytes = b"") -> None:
        self.folder, self._secret = folder, secret

    async def put(self, data: bytes, spared_seconds: float = 0.0) -> str:
        """Store bytes and return their sha256 in hex once they are durable. Raises OSError (disk full).

        `spared_seconds`: so much later than now the file counts as stored, as whoever stores it has not said for whom.
        """
        return await asyncio.to_thread(self.put_now, data, spared_seconds)

    async def get(self, sha256: str) -> bytes:
        """Return the bytes. Raises FileNotFoundError."""
        return await asyncio.to_thread(self.read_now, sha256)

    async def size(self, sha256: str) -> int:
        """Return how many bytes a blob has. Raises FileNotFoundError."""
        return await asyncio.to_thread(self.size_now, sha256)

    async def read(self, sha256: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` up to, not including, `end`, a megabyte at a time. Raises FileNotFoundError."""
        for begin in range(start, end, CHUNK_BYTES * READ_CHUNKS):
            yield await asyncio.to_thread(self.read_now, sha256, begin, min(end, begin + CHUNK_BYTES * READ_CHUNKS))

    def put_now(self, data: bytes, spared_seconds: float = 0.0) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(sha256)
        at = time.time() + spared_seconds
        if _touched(path, at):
            sync(path.parent)  # whoever wrote it may not have come to that yet
        else:
            _write_durably(path, self._sealed(sha256, data))
            if spared_seconds:
                _touched(path, at)
        return sha256

    def size_now(self, sha256: str) -> int:
        if (plain := self._plain(sha256)) is not None:
            return plain.stat().st_size
        with self._path(sha256).open("rb") as file:
            return _size(file.read(_HEAD_BYTES))

    def read_now(self, sha256: str, start: int = 0, end: int | None = None) -> bytes:
        """Return some of the bytes. Raises FileNotFoundError, and InvalidTag when the file was changed."""
        if (plain := self._plain(sha256)) is not None:
            with plain.open("rb") as file:
                file.seek(start)
                return file.read(-1 if end is None else max(0, end - start))
        with self._path(sha256).open("rb") as file:
            head = file.read(_HEAD_BYTES)
            size = _size(head)
            end = size if end is None else min(end, size)
            first, cipher = start // CHUNK_BYTES, self._cipher(sha256)
            file.seek(_HEAD_BYTES + first * (CHUNK_BYTES + _TAG_BYTES))
            opened = bytearray()
            for index in range(first, -(-end // CHUNK_BYTES)):
                opened += cipher.decrypt(_nonce(index), file.read(CHUNK_BYTES + _TAG_BYTES), head)
        return bytes(opened[start - first * CHUNK_BYTES : end - first * CHUNK_BYTES])

    def name(self, sha256: str) -> str:
        """Return the name that a blob lies under; it does not tell the sha256."""
        return self._derived("name", sha256).hex()

    def has(self, name: str) -> bool:
        """Return whether a blob of a name is here: what is small lies with its event."""
        return (self.folder / name[:2] / name).exists()

    def has_any(self, sha256: str) -> bool:
        """Return whether a blob is here, sealed or as an earlier version kept it."""
        return self.has(self.name(sha256)) or (self.folder / sha256[:2] / sha256).exists()

    def is_plain(self, path: Path) -> bool:
        """Return whether a file of the folder is one that an earlier version kept as it is.

        Reads all of what begins as a sealed one does: so may a plain one, and only its name tells it.
        """
        if not _SHA256.fullmatch(path.name):
            return False
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return True
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest() == path.name

    def remove_plain_now(self, sha256: str) -> None:
        """Delete what an earlier version kept as it is: what is stored now lies elsewhere."""
        (self.folder / sha256[:2] / sha256).unlink(missing_ok=True)

    def remove_now(self, name: str, unused_since: float) -> bool:
        """Delete a blob by its name; False when it stays, as somebody stored it after a moment (seconds of the epoch).

        Taken away first and then looked at: who stores it meanwhile is seen by its time, or does not find it and writes
        it anew. May be repeated after a crash.
        """
        path = self.folder / name[:2] / name
        taken = path.with_name(f".{name}.going")
        if path.exists():
            if path.stat().st_mtime > unused_since:
                return False
            path.replace(taken)
        if not taken.exists():
            return True
        if taken.stat().st_mtime > unused_since:
            taken.replace(path)
            return False
        taken.unlink()
        return True

    def _plain(self, sha256: str) -> Path | None:
        """Return the file as earlier versions kept it, as it is and under its sha256; None where it is sealed."""
        sealed = self._path(sha256)
        plain = self.folder / sha256[:2] / sha256
        return plain if not sealed.exists() and plain.exists() else None

    def _path(self, sha256: str) -> Path:
        """Raises FileNotFoundError for what is no sha256."""
        if not _SHA256.fullmatch(sha256):
            raise FileNotFoundError(sha256)
        name = self.name(sha256)
        return self.folder / name[:2] / name

    def _cipher(self, sha256: str) -> AESGCM:
        return AESGCM(self._derived("key", sha256))

    def _derived(self, purpose: str, sha256: str) -> bytes:
        return hashlib.blake2b(sha256.encode(), key=self._secret, person=purpose.encode(), digest_size=32).digest()

    def _sealed(self, sha256: str, data: bytes) -> Iterator[bytes]:
        """The key belongs to this content alone, so the same nonce never seals anything else."""
        head, cipher = _MAGIC + len(data).to_bytes(8, "big"), self._cipher(sha256)
        yield head
        for index, start in enumerate(range(0, len(data), CHUNK_BYTES)):
            yield cipher.encrypt(_nonce(index), data[start : start + CHUNK_BYTES], head)


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")


def _size(head: bytes) -> int:
    if len(head) < _HEAD_BYTES or not head.startswith(_MAGIC):
        raise FileNotFoundError("not a blob of Okno")
    return int.from_bytes(head[len(_MAGIC) :], "big")


def _touched(path: Path, at: float) -> bool:
    """Say of a file that it was stored at a moment, or later; False when there is none."""
    try:
        at = max(at, path.stat().st_mtime)
        os.utime(path, (at, at))
    except FileNotFoundError:
        return False
    return True


def _write_durably(path: Path, pieces: Iterator[bytes]) -> None:
    """Write beside, fsync, rename, fsync the folder: after a crash the file is whole or not there."""
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(6).hex()}")
    try:
        with open(draft, "wb", opener=opener) as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)
