"""Files that survive a power cut: their content first, then the name that leads to it."""

from __future__ import annotations

import os
from pathlib import Path


def replace_durably(draft: Path, file: Path) -> None:
    """Give a draft its name once all of it is on the disk; whatever had the name is replaced. Raises OSError."""
    sync(draft)
    draft.replace(file)
    sync(file.parent)


def sync(path: Path) -> None:
    """Return when the content of a file, or the names in a folder, are on the disk. Raises OSError."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
