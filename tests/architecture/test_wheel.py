"""What `pip install .` installs: all of Okno with its window, and no tests. Built in a copy, as pip builds it."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
WINDOW = Path("services", "inbox_api", "ui")
BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
"""What pip calls (PEP 517), without an environment of its own, for which it would fetch hatchling."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the checkout whose window counts as built from the sources beside it."""
    tree = tmp_path / "checkout"
    left_out = shutil.ignore_patterns("node_modules", "__pycache__", ".mypy_cache", ".ruff_cache")
    for folder in ("services", "shared", "tests/architecture"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=left_out)
    for file in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / file, tree)
    hook = hook_of(tree)
    (tree / WINDOW / "dist" / hook.STAMP).write_text(hook._digest(tree / WINDOW))
    return tree


def hook_of(tree: Path):  # type: ignore[no-untyped-def]
    spec = spec_from_file_location("build_hook", tree / WINDOW / "build_hook.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def built(tree: Path) -> ZipFile:
    """Return the wheel of a tree. What npm would have to do fails: there is none."""
    target, without_npm = tree.parent / "wheels", {**os.environ, "PATH": "/nonexistent"}
    target.mkdir()
    command = [sys.executable, "-c", BUILD, str(target)]
    done = subprocess.run(command, cwd=tree, env=without_npm, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ZipFile(target / done.stdout.split()[-1])


def files_of(tree: Path, *folders: str) -> set[str]:
    found = (path for folder in folders for path in (tree / folder).rglob("*") if path.is_file())
    return {path.relative_to(tree).as_posix() for path in found if path.suffix != ".pyc"}


def test_the_wheel_has_all_of_okno_and_the_window_and_no_tests(tree: Path) -> None:
    ours = {name for name in files_of(tree, "services", "shared") if not name.startswith(f"{WINDOW.as_posix()}/")}
    window = files_of(tree, (WINDOW / "dist").as_posix())

    with built(tree) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        page = wheel.read((WINDOW / "dist" / "index.html").as_posix()).decode()
        (entry_points,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
        commands = configparser.ConfigParser()
        commands.read_string(wheel.read(entry_points).decode())

    assert names == ours | window
    shown = re.findall(r'(?:src|href)="/(assets/[^"]+)"', page)
    assert len(shown) >= 3
    assert {(WINDOW / "dist" / name).as_posix() for name in shown} <= names
    assert dict(commands["console_scripts"]) == {"okno": "services.entry:main"}


def test_a_window_that_was_built_from_other_sources_is_not_taken(tree: Path) -> None:
    hook = hook_of(tree).CustomBuildHook(str(tree), {}, None, None, "", "")
    assert hook._is_built()
    (tree / WINDOW / "src" / "new.ts").write_text("export {}")
    assert not hook._is_built()
