"""Data that a newer Okno has written is left as it is, and what is needed is said in one line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import pytest

from services.house import open_house
from shared.database import written_format
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.database.written_format import WrittenByNewer
from tests.examples import inbound as item_of
from tests.privacy.town import settings_of
from tests.services.command_line import Cli
from tests.services.command_line import okno as okno

NEWER = "was written by a newer Okno: start version 7.2 or newer (format 9; this one knows 1), nothing was changed"
COMMANDS = (
    ("up", "--port", "0"), ("operators", "add", "o@okno.example", "--role", "admin"), ("channels", "list"),
    ("timeline", "anna@example.com"), ("audit",), ("doctor",), ("rebuild",), ("backup", "--out", "/dev/null"),
)  # fmt: skip


async def written_by_newer(url: str) -> None:
    database = open_database(url)
    await database.write(lambda tx: tx.run("UPDATE written_format SET format = 9, needs = '7.2'"))
    await database.close()


async def marks(database: Database) -> list[tuple[int, str]]:
    return await database.read(lambda tx: tx.rows("SELECT format, needs FROM written_format"))  # type: ignore[arg-type]


async def test_data_without_a_mark_is_marked_as_this_format(empty_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        house = open_house(settings_of(tmp_path, empty_url))
        assert await marks(house.database) == [(written_format.FORMAT, written_format.NEEDS)]
        await house.database.write(lambda tx: tx.run("DELETE FROM written_format"))
        await house.close()


async def test_data_of_an_older_format_is_marked_anew(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_house(settings_of(tmp_path, empty_url)).close()
    monkeypatch.setattr(written_format, "FORMAT", 2)
    monkeypatch.setattr(written_format, "NEEDS", "0.2.0")
    house = open_house(settings_of(tmp_path, empty_url))
    assert await marks(house.database) == [(2, "0.2.0")]
    await house.close()


async def test_data_of_a_newer_format_is_refused_before_any_table_is_made(empty_url: str, tmp_path: Path) -> None:
    house = open_house(settings_of(tmp_path, empty_url))
    await house.database.write(lambda tx: tx.script("DROP TABLE holds"))
    await house.close()
    await written_by_newer(empty_url)
    with pytest.raises(WrittenByNewer, match=r"start version 7\.2 or newer"):
        open_house(settings_of(tmp_path, empty_url))
    database = open_database(empty_url)
    names = "sqlite_master WHERE name" if database.dialect == "sqlite" else "pg_tables WHERE tablename"
    assert await database.read(lambda tx: tx.rows(f"SELECT 1 FROM {names} = 'holds'")) == []
    assert await marks(database) == [(9, "7.2")]
    await database.close()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_refuses_it_in_one_line(okno: Cli, command: tuple[str, ...]) -> None:
    okno("operators", "add", "olga@okno.example", "--role", "admin")
    okno.in_house(
        lambda house: house.database.write(lambda tx: tx.run("UPDATE written_format SET format = 9, needs = '7.2'"))
    )
    assert okno.wrong(*command) == f"this installation {NEWER}"


def test_a_backup_of_a_newer_format_is_refused_and_leaves_nothing(okno: Cli, tmp_path: Path) -> None:
    okno.receive(item_of(text="first"))
    sound, newer = tmp_path / "okno.backup", tmp_path / "newer.backup"
    okno("backup", "--out", str(sound))
    with zipfile.ZipFile(sound) as source, zipfile.ZipFile(newer, "w") as target:
        for name in source.namelist():
            contents = source.read(name)
            if name == "manifest.json":
                manifest = msgspec.json.decode(contents)
                assert manifest["written"] == {"format": written_format.FORMAT, "needs": written_format.NEEDS}
                contents = msgspec.json.encode({**manifest, "format": 3, "written": {"format": 9, "needs": "7.2"}})
            target.writestr(name, contents)
    okno.data = tmp_path / "new"
    assert okno.wrong("restore", str(newer)) == f"{newer} {NEWER}"
    assert not okno.data.exists()
