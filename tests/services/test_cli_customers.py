"""`okno customers`: import with a dry run, undo, export, as a person types them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from services import cli
from services.house import open_house
from services.inbox_api import exporting
from shared.progress import Progress
from shared.settings import read_settings

ROWS = "Имя;Почта\r\nАнна;anna@example.com\r\nБорис;boris\r\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clients.csv"
    path.write_bytes(ROWS.encode("windows-1251"))
    return path


class Okno:
    """Runs commands on one data directory."""

    def __init__(self, data: Path, capture: pytest.CaptureFixture[str]) -> None:
        self._data, self._capture = data, capture

    def __call__(self, *arguments: object, status: int = 0) -> str:
        assert cli.main([*map(str, arguments), "--data", str(self._data)]) == status
        out, self.said = self._capture.readouterr()
        return out


@pytest.fixture
def okno(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Okno:
    return Okno(tmp_path / "var", capsys)


def test_a_dry_run_says_what_would_become_of_each_row(okno: Okno, file: Path, tmp_path: Path) -> None:
    assert okno("customers", "import", file, "--dry-run", status=1).splitlines() == [
        "columns: Имя -> name, Почта -> email",
        "row 2: new: name: nothing -> Анна",
        "row 3: wrong: Почта: 'boris' is no e-mail address",
        "1 would be new, 0 known (0 with changes), 0 in conflict, 1 wrong",
    ]
    okno("customers", "export", "--out", tmp_path / "out.csv")
    assert len((tmp_path / "out.csv").read_text("utf-8-sig").splitlines()) == 1


def test_who_is_new_and_has_an_address_only_is_no_change_of_nothing(okno: Okno, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("email\nzed@example.com\n")
    told = okno("customers", "import", tmp_path / "c.csv", "--dry-run").splitlines()
    assert told[1] == "row 2: new: nothing is known of them but the address"


def test_a_file_that_has_headings_only_has_nobody(okno: Okno, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_text("Имя,Почта\n")
    told = "columns: Имя -> name, Почта -> email\n0 {} new, 0 known (0 with changes), 0 in conflict, 0 wrong\n"
    assert okno("customers", "import", file, "--dry-run") == told.format("would be")
    assert okno("customers", "import", file) == told.format("are")


def test_where_each_column_goes_is_told_and_which_is_left_out(okno: Okno, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_text("Имя;Почта;Город\x1b[2J;\r\nАнна;anna@example.com;Тверь;7\r\n")
    told = [
        "columns: Имя -> name, Почта -> email",
        "left out: Город [2J, #4 (--map COLUMN=FIELD for each that is wanted says otherwise)",
    ]
    assert okno("customers", "import", file, "--dry-run").splitlines()[:2] == told
    assert okno("customers", "import", file).splitlines()[:2] == told
    chosen = ("--map", "Почта=email", "--map", "#4=notes", "--json")
    *_, last = map(json.loads, okno("customers", "import", file, "--dry-run", *chosen).splitlines())
    assert last["columns"] == [
        {"column": "Имя", "field": None}, {"column": "Почта", "field": "email"},
        {"column": "Город\x1b[2J", "field": None}, {"column": "#4", "field": "notes"},
    ]  # fmt: skip


def test_what_is_imported_is_exported_and_undone(okno: Okno, file: Path, tmp_path: Path) -> None:
    out = okno("customers", "import", file, "--map", "Имя=name", "--map", "#2=email", "--json", status=1)
    *rows, last = map(json.loads, out.splitlines())
    assert [row["state"] for row in rows] == ["new", "wrong"]
    exported = tmp_path / "out.csv"
    okno("customers", "export", "--out", exported, "--separator", "tab")
    assert "anna@example.com\t\tАнна" in exported.read_text("utf-8-sig")
    assert okno("customers", "import", exported, "--dry-run").splitlines()[-2:] == [
        "row 2: known: nothing changes",
        "0 would be new, 1 known (0 with changes), 0 in conflict, 0 wrong",
    ]
    undone = okno("customers", "undo", last["id"])
    assert undone == "1 customers have back what they had, 1 are hidden, 0 rows were left\n"
    okno("customers", "import", file, "--id", last["id"], "--map", "Имя=name", "--map", "#2=email", status=2)
    assert okno.said.splitlines()[-1].startswith("okno: This import was undone")


def test_an_export_appears_when_it_is_whole_for_its_owner_alone_or_goes_to_stdout(
    okno: Okno, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.csv"
    okno("customers", "import", file, status=1)
    assert okno("customers", "export", "--out", out) == f"{out}: {out.stat().st_size} bytes\n"
    assert out.stat().st_mode & 0o777 == 0o600
    whole = out.read_bytes().decode()
    assert okno("customers", "export", "--out", "-") == okno("customers", "export", "--out", "-", "--json") == whole

    async def breaks(*_: object) -> AsyncIterator[bytes]:
        yield b"half"
        raise OSError("the disk is full")

    monkeypatch.setattr(exporting, "csv_of", breaks)
    okno("customers", "export", "--out", out, status=3)
    assert (okno.said, out.read_bytes().decode()) == ("okno: the disk is full\n", whole)
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_terminal_sees_how_far_an_export_is(okno: Okno, file: Path, tmp_path: Path) -> None:
    okno("customers", "import", file, status=1)
    okno("customers", "export", "--out", tmp_path / "out.csv")
    seen: list[Progress] = []

    async def work() -> None:
        house = open_house(read_settings({}, tmp_path / "var"))
        async for _ in exporting.csv_of(house.database, {}, ",", seen.append):
            pass
        await house.close()

    asyncio.run(work())
    assert seen == [Progress("customers", 1, 1)]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("export", "--out", "nowhere/out.csv"), "there is no folder nowhere"),
        (("import", "nowhere.csv"), "there is no file"),
        (("import", "FILE", "--map", "x=email"), "no column is called 'x'"),
        (("import", "FILE", "--map", "email"), "--map wants"),
        (("import", "FILE", "--country", "Russia"), "--country wants"),
        (("undo", str(UUID(int=1))), "There is no such import"),
    ],
)
def test_a_wrong_request_is_one_line_and_status_2(okno: Okno, file: Path, arguments: tuple[str, ...], why: str) -> None:
    okno("channels", "list")  # begins the installation
    okno("customers", *(str(file) if each == "FILE" else each for each in arguments), status=2)
    assert (why in okno.said, okno.said.count("\n")) == (True, 1)
