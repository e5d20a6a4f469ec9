"""Takes away what a command that was refused has made in a folder without an installation, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.database.open import file_of
from shared.settings import Settings, WrongSettings

DATABASE = "okno.db"
MADE = (DATABASE, "keys.db", "secret.key", "okno.lock")
"""How the names begin of all that a start makes."""


def found_in(folder: Path) -> frozenset[str] | None:
    """Return the names of what is in a folder; None where there is no such folder."""
    try:
        return frozenset(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def nothing_left(settings: Settings, found: frozenset[str] | None, *refusals: type[Exception]) -> Iterator[None]:
    """Undo the beginning of an installation on one of these errors; `found`: what was in its folder before.

    Another process may have begun to use it since: then it stays. So it does where the database or the keys are
    elsewhere: what was made there may be in use, and needs the secret key that was made here.
    """
    try:
        yield
    except refusals:
        if DATABASE not in (found or ()) and _is_all_here(settings):
            with suppress(WrongSettings):
                _take_away(settings, found)
        raise


def _is_all_here(settings: Settings) -> bool:
    files = map(file_of, (settings.database_url, settings.keys_url))
    return all(file is not None and file.parent == settings.data for file in files)


def _take_away(settings: Settings, found: frozenset[str] | None) -> None:
    from services.house import alone  # a command that is not refused needs none of it

    with alone(settings):
        for path in settings.data.iterdir():
            if path.name not in (found or ()) and path.name.startswith(MADE) and path.is_file():
                path.unlink()
    if found is None and not any(settings.data.iterdir()):
        settings.data.rmdir()
