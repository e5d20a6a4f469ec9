"""Content-addressed files: what is large is stored once under its sha256, durable before its name is told to anyone."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from pathlib import Path

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder of blobs; several processes may share it (shared folder in the cluster)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def put(self, data: bytes) -> str:
        """Store bytes and return their sha256 in hex once they are durable. Raises OSError (disk full)."""
        return await asyncio.to_thread(self.put_now, data)

    async def get(self, sha256: str) -> bytes:
        """Return the bytes. Raises FileNotFoundError."""
        return await asyncio.to_thread(self.path(sha256).read_bytes)

    async def size(self, sha256: str) -> int:
        """Return how many bytes a blob has. Raises FileNotFoundError."""
        return (await asyncio.to_thread(self.path(sha256).stat)).st_size

    async def part(self, sha256: str, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on. Raises FileNotFoundError."""
        return await asyncio.to_thread(_read_part, self.path(sha256), start, size)

    def path(self, sha256: str) -> Path:
        """Return where a blob lies, whether it exists or not. Raises FileNotFoundError for what is no sha256."""
        if not _SHA256.fullmatch(sha256):
            raise FileNotFoundError(sha256)
        return self.folder / sha256[:2] / sha256

    def put_now(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if not path.exists():
            _write_durably(path, data)
        return sha256


def _read_part(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)


def _write_durably(path: Path, data: bytes) -> None:
    """Write beside, fsync, rename, fsync the folder: after a crash the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(6).hex()}")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
