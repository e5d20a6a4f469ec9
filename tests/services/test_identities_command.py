"""`okno identities`: merging from the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from services.cli import main


def okno(folder: Path, *arguments: str) -> int:
    return main([*arguments, "--data", str(folder), "--json"])


def test_plus_addresses_are_apart_until_the_business_says_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for rule in ((), ("same",), (), ("apart",)):
        assert okno(tmp_path, "identities", "plus-addresses", *rule) == 0
        said.append(json.loads(capsys.readouterr().out)["plus_addresses"])
    assert said == ["apart", "same", "same", "apart"]


def test_nobody_is_suggested_to_begin_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert okno(tmp_path, "identities", "suggestions") == 0
    assert json.loads(capsys.readouterr().out)["items"] == []


@pytest.mark.parametrize("action", [("merge", str(uuid4()), str(uuid4())), ("unmerge", str(uuid4()))])
def test_who_is_not_there_cannot_be_merged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], action: tuple[str, ...]
) -> None:
    assert okno(tmp_path, "identities", *action) == 2
    error = capsys.readouterr().err
    assert error.startswith("okno: There is no customer")
    assert error.count("\n") == 1
