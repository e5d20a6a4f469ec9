"""Folders and files that nobody but their owner can look into: what clients write is no other user's to read.

What is there already keeps the rights that it was given.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER, FILE = 0o700, 0o600


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing. Raises OSError."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    folder.mkdir(mode=FOLDER, exist_ok=True)


def make_file(file: Path) -> None:
    """Make an empty file where there is none. Raises OSError.

    One that is there is not opened: to close it would give up the locks that this process holds on it (fcntl(2)).
    """
    try:
        os.close(os.open(file.resolve(), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE))
    except FileExistsError:
        return


def opener(name: str, flags: int) -> int:
    """Open a file as `open(..., opener=opener)` wants it done."""
    return os.open(name, flags, FILE)


def others_read(file: Path) -> bool:
    """Return whether the rights of a file and its folder let others than the owner read it. Raises OSError."""
    rights, way = file.stat().st_mode, file.parent.stat().st_mode
    return any(rights & reads and way & enters for reads, enters in ((0o040, 0o010), (0o004, 0o001)))
