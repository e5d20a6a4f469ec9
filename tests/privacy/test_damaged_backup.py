"""A backup with one byte that is another: refused in one line, or restored as it was; a refusal leaves nothing."""

from __future__ import annotations

import shutil
import struct
import zipfile
from pathlib import Path

import pytest

from services.privacy.whole_backup import WrongBackup, opened
from tests.examples import inbound as item_of
from tests.services.command_line import Cli
from tests.services.command_line import okno as okno

PLACES = 400
REFUSED = ("is damaged, take another copy of it", "is no backup of Okno")


def contents(folder: Path) -> dict[str, bytes] | None:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()} if folder.exists() else None


@pytest.fixture
def backup(okno: Cli, tmp_path: Path) -> Path:
    okno.receive(item_of(text="first"), item_of(external_id="2", text="second"))
    (okno.data / "blobs" / "ab").mkdir(parents=True)
    (okno.data / "blobs" / "ab" / "abcd").write_bytes(b"sealed")
    file = tmp_path / "okno.backup"
    okno("backup", "--out", str(file))
    return file


def with_the_keys(okno: Cli, folder: Path) -> Path:
    folder.mkdir()
    for path in (*okno.data.glob("keys.db*"), okno.data / "secret.key"):
        shutil.copy(path, folder / path.name)
    return folder


def flipped(sound: bytes, place: int) -> bytes:
    return sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :]


def members(file: Path) -> dict[str, bytes]:
    archive, _ = opened(file)
    with archive:
        return {name: archive.read(name) for name in archive.namelist()}


def within_a_file(backup: Path, part: float) -> int:
    """Return a place in what one of its files says: among names and dates a flipped byte may change nothing of it."""
    with zipfile.ZipFile(backup) as archive:
        full = [each for each in archive.infolist() if each.compress_size > 10]
        begin = full[int(len(full) * part)].header_offset
    header = backup.read_bytes()[begin : begin + 30]
    return begin + len(header) + sum(struct.unpack("<HH", header[26:30])) + 5


def test_a_backup_with_a_byte_flipped_anywhere_is_refused_or_says_the_same(backup: Path) -> None:
    sound, said = backup.read_bytes(), members(backup)
    refusals: list[str] = []
    for place in range(0, len(sound), max(1, len(sound) // PLACES)):
        backup.write_bytes(flipped(sound, place))
        try:
            assert members(backup) == said, place
        except WrongBackup as error:
            refusals.append(str(error))
    assert len(refusals) > PLACES / 2
    assert [each for each in refusals if "\n" in each or not any(why in each for why in REFUSED)] == []


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.8])
def test_a_damaged_backup_is_told_in_one_line_and_leaves_the_keys_as_they_are(
    okno: Cli, backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: float
) -> None:
    new = with_the_keys(okno, tmp_path / "new")
    before = contents(new)
    backup.write_bytes(flipped(backup.read_bytes(), within_a_file(backup, part)))
    assert "damaged" in Cli(new, capsys).wrong("restore", str(backup))
    assert contents(new) == before


@pytest.mark.parametrize("given", ["no backup", "no keys"])
def test_a_refused_restore_leaves_nothing_in_a_folder_that_was_empty(
    okno: Cli, backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    if given == "no backup":
        backup.write_bytes(b"no")
    (tmp_path / "empty").mkdir()
    for folder, left in ((tmp_path / "empty", {}), (tmp_path / "none", None)):
        Cli(folder, capsys).wrong("restore", str(backup))
        assert contents(folder) == left


def test_a_refused_restore_leaves_an_installation_as_it_is(okno: Cli, backup: Path) -> None:
    assert "is in use" in okno.wrong("restore", str(backup))
    assert [entry["text"] for entry in okno.json("timeline", "anna@example.com")["items"]] == ["first", "second"]
