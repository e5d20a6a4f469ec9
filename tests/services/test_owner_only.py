"""Nobody but its owner can read what an installation writes, and what was there keeps its rights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import aiosmtplib
import pytest

from services.demo_page.mailbox import HOST, Mailbox
from services.house import alone, open_house
from services.privacy.backup import back_up
from shared.registry.operators import Operators
from shared.settings import read_settings

CLIENT = "anna@okno.example"


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def rights(path: Path) -> dict[str, int]:
    found = [path, *path.rglob("*")]
    return {str(each.relative_to(path.parent)): each.stat().st_mode & 0o777 for each in found}


async def test_an_installation_is_its_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    settings = read_settings({}, data)
    with alone(settings):
        house = open_house(settings)
        await Operators(house.database).add("anna@okno.example", "admin")
        await house.blobs.put(b"an attachment")
        async with house.database.sole("rethread"):
            pass
        mailbox = Mailbox(data / "demo-mail")
        port = await mailbox.start(0)
        letter = "From: demo@okno.example\r\nTo: anna@okno.example\r\n\r\nHello"
        await aiosmtplib.send(letter, sender=CLIENT, recipients=[CLIENT], hostname=HOST, port=port)
        await mailbox.stop()
        found = rights(tmp_path / "deep")
        await house.close()
    folders = {"deep", "deep/data", "deep/data/blobs", "deep/data/demo-mail"}
    assert folders < found.keys()
    assert {f"deep/data/{name}" for name in ("okno.db", "okno.db-wal", "okno.db-shm", "keys.db")} < found.keys()
    assert {
        name: mode for name, mode in found.items() if mode != (0o700 if (tmp_path / name).is_dir() else 0o600)
    } == {}


async def test_a_backup_is_its_owners_alone_whatever_an_interrupted_one_left(tmp_path: Path) -> None:
    (tmp_path / ".backup.zip.draft").touch()
    house = open_house(read_settings({}, tmp_path / "data"))
    await back_up(house, tmp_path / "backup.zip")
    await house.close()
    assert (tmp_path / "backup.zip").stat().st_mode & 0o777 == 0o600


async def test_what_was_there_keeps_its_rights(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o750)
    (data / "okno.db").touch(mode=0o640)
    (data / "okno.db").chmod(0o640)
    house = open_house(read_settings({}, data))
    found = rights(data)
    await house.close()
    told = {found[f"data{name}"] for name in ("/okno.db", "/okno.db-wal", "/okno.db-shm")}
    assert (found["data"], told, found["data/keys.db"]) == (0o750, {0o640}, 0o600)


async def test_a_database_that_a_link_names_is_made_where_the_link_leads(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "okno.db").symlink_to(tmp_path / "elsewhere.db")
    house = open_house(read_settings({}, tmp_path / "data"))
    await house.close()
    assert (tmp_path / "elsewhere.db").stat().st_mode & 0o777 == 0o600
