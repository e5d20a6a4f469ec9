"""Files are sealed and named so that the folder tells nothing; any part is read alone; older plain ones too."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from shared.blobs import CHUNK_BYTES, Blobs

DATA = b"".join(number.to_bytes(4, "big") for number in range(CHUNK_BYTES))  # four pieces


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs", b"s" * 32)


def only_file(blobs: Blobs) -> Path:
    (path,) = [path for path in blobs.folder.rglob("*") if path.is_file()]
    return path


async def test_any_part_is_read_as_it_was_and_the_folder_tells_nothing(blobs: Blobs) -> None:
    sha256 = await blobs.put(DATA)
    assert (await blobs.get(sha256), await blobs.size(sha256)) == (DATA, len(DATA))
    for start, end in ((0, 1), (CHUNK_BYTES - 3, CHUNK_BYTES + 3), (70_000, 250_000), (len(DATA) - 1, len(DATA))):
        assert b"".join([part async for part in blobs.read(sha256, start, end)]) == DATA[start:end]
    path = only_file(blobs)
    assert sha256 not in str(path)
    assert DATA[:64] not in path.read_bytes()


async def test_who_finds_a_file_there_waits_for_its_name_to_be_durable_too(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote it may be between the rename and the folder's fsync."""
    await blobs.put(DATA)
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda opened: synced.append(os.readlink(f"/proc/self/fd/{opened}")))
    await blobs.put(DATA)
    assert synced == [str(only_file(blobs).parent)]


async def test_a_changed_file_is_noticed_and_a_removed_one_is_gone(blobs: Blobs) -> None:
    sha256 = await blobs.put(DATA)
    path = only_file(blobs)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(InvalidTag):
        await blobs.get(sha256)
    assert blobs.remove_now(blobs.name(sha256), time.time() + 1)
    with pytest.raises(FileNotFoundError):
        await blobs.size(sha256)


async def test_a_file_of_an_earlier_version_is_read_and_removed_as_well(blobs: Blobs) -> None:
    sha256 = hashlib.sha256(DATA).hexdigest()
    plain = blobs.folder / sha256[:2] / sha256
    plain.parent.mkdir(parents=True)
    plain.write_bytes(DATA)
    assert (await blobs.get(sha256), await blobs.size(sha256)) == (DATA, len(DATA))
    assert b"".join([part async for part in blobs.read(sha256, 5, 9)]) == DATA[5:9]
    assert await blobs.put(DATA) == sha256
    blobs.remove_plain_now(sha256)
    assert (plain.exists(), await blobs.get(sha256)) == (False, DATA)


async def test_what_was_stored_again_lately_is_not_removed(blobs: Blobs) -> None:
    name = blobs.name(await blobs.put(DATA))
    path, hour_ago = only_file(blobs), time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))
    sha256 = await blobs.put(DATA)
    assert not blobs.remove_now(name, time.time() - 60)
    assert await blobs.get(sha256) == DATA
    os.utime(path, (hour_ago, hour_ago))
    assert blobs.remove_now(name, time.time() - 60)
    assert blobs.remove_now(name, time.time() - 60), "a repeated removal has nothing left to do"
    assert await blobs.put(DATA) == sha256
    assert await blobs.get(sha256) == DATA


async def test_a_removal_that_was_cut_off_is_ended_or_taken_back(blobs: Blobs) -> None:
    sha256 = await blobs.put(DATA)
    path, name = only_file(blobs), blobs.name(sha256)
    taken = path.with_name(f".{name}.going")
    path.replace(taken)
    assert not blobs.remove_now(name, time.time() - 60)
    assert await blobs.get(sha256) == DATA
    path.replace(taken)
    assert (blobs.remove_now(name, time.time() + 60), [*blobs.folder.rglob("*.going")]) == (True, [])
