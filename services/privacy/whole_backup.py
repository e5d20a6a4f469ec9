"""A backup is read from end to end before anything of it is believed: a damaged one is refused in one line."""

from __future__ import annotations

import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path
from struct import error as StructError
from typing import Any

import msgspec

from services.privacy.backup import FORMAT, UNDER_WAY
from shared.database.written_format import refuse_newer
from shared.registry.erasures import WrongErasure

READ_BYTES = 1024 * 1024
MANIFEST = "manifest.json"
DAMAGED = (
    zipfile.BadZipFile, zlib.error, LZMAError, StructError, EOFError, OSError, KeyError, ValueError, RuntimeError,
    OverflowError,
)  # fmt: skip
"""What `zipfile` says of bytes that are not those that were written: wherever they are in the file, it is another."""


class WrongBackup(WrongErasure):
    """The file cannot be restored here; the text says why."""


def opened(file: Path) -> tuple[zipfile.ZipFile, dict[str, Any]]:
    """Return a backup that is whole, to be closed, and its manifest. Raises WrongBackup, WrittenByNewer."""
    try:
        archive = zipfile.ZipFile(file)
    except DAMAGED as error:
        raise WrongBackup(f"{file} is no backup of Okno, or damaged: {_said(error)}") from None
    try:
        _read_all(archive, file)
        return archive, _manifest(archive, file)
    except BaseException:
        archive.close()
        raise


def _read_all(archive: zipfile.ZipFile, file: Path) -> None:
    for name in archive.namelist():
        try:
            with archive.open(name) as stream:
                while stream.read(READ_BYTES):
                    pass
        except DAMAGED as error:
            raise WrongBackup(f"{file} is damaged, take another copy of it: {_said(error)}") from None


def _manifest(archive: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    names = archive.namelist()
    if MANIFEST not in names:
        raise WrongBackup(f"{file} is no backup of Okno: it has no manifest")
    try:
        manifest = msgspec.json.decode(archive.read(MANIFEST), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise WrongBackup(f"{file} is no backup of Okno: {error}") from None
    if written := manifest.get("written"):
        refuse_newer(str(file), written["format"], written["needs"])
    if manifest.get("format") != FORMAT:
        raise WrongBackup(f"{file} was made by another version of Okno (format {manifest.get('format')})")
    wanted = {UNDER_WAY, *(f"tables/{table}" for table in manifest["tables"])}
    lacks = sorted(wanted.difference(names))
    if lacks or sum(name.startswith("blobs/") for name in names) < manifest["blobs"]:
        raise WrongBackup(f"{file} is damaged, take another copy of it: {', '.join(lacks) or 'a file'} is missing")
    return manifest


def _said(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
