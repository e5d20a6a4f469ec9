"""The import rules of pyproject.toml find what they are there for, and purity is more than imports."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp
import pytest
from importlinter.domain.imports import ModuleExpression

from tests.architecture.contracts import expand, reached

ROOT = Path(__file__).parents[2]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
PURE_RULES = {rule["name"]: rule for rule in RULES if rule["type"] == "only"}

HOLES: Mapping[str, tuple[str, ...]] = {
    "shared.domain.card": ("import phonenumbers", "import cryptography", "import socket", "import shared.clock"),
    "shared.values": ("import msgspec",),
    "shared.audit.walk": ("import eventsourcing",),
    "services.privacy.job": ("from eventsourcing.persistence import ProcessRecorder",),
    "shared.channels.email.parse": ("import aiohttp", "import urllib.request", "import subprocess", "import sqlite3"),
    "shared.channels.email.words": ("from urllib import request", "import os", "from pathlib import Path"),
    "shared.channels.telephony.mango": ("import requests", "import http.client as web, ssl"),
    "shared.channels.email.build": ("from shared.channels.email import oauth", "import shared.database"),
}
FOUND = {
    "shared.domain.card -> phonenumbers", "shared.domain.card -> cryptography", "shared.domain.card -> socket",
    "shared.domain.card -> shared.clock",
    "shared.values -> msgspec",
    "shared.audit.walk -> eventsourcing",
    "services.privacy.job -> eventsourcing",
    "shared.channels.email.parse -> aiohttp", "shared.channels.email.parse -> urllib.request",
    "shared.channels.email.parse -> subprocess", "shared.channels.email.parse -> sqlite3",
    "shared.channels.email.words -> urllib", "shared.channels.email.words -> os",
    "shared.channels.email.words -> pathlib",
    "shared.channels.telephony.mango -> requests", "shared.channels.telephony.mango -> http.client",
    "shared.channels.telephony.mango -> ssl",
    "shared.channels.email.build -> shared.database",
    "shared.channels.email.oauth -> asyncio", "shared.channels.email.oauth -> http.client",
}  # fmt: skip
OUTSIDE = {
    "open", "input", "print", "breakpoint", "exec", "eval", "compile", "__import__",
    "exists", "isfile", "isdir", "getsize", "realpath",
}  # fmt: skip
"""Functions and methods that need no import to reach out of the process, or one that is allowed for its other parts."""
CLOCK_AND_CHANCE = {"now", "utcnow", "today", "uuid1", "uuid4"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the rules are about."""
    for name in ("services", "shared"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("ui", "__pycache__"))
    (tmp_path / "tests" / "architecture").mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("contracts.py"), tmp_path / "tests" / "architecture")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def linted(tree: Path) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=tree, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def file_of(module: str, root: Path = ROOT) -> Path:
    file = root / module.replace(".", "/")
    return file / "__init__.py" if file.is_dir() else file.with_suffix(".py")


def test_every_import_that_breaks_a_rule_is_found_and_nothing_else(tree: Path) -> None:
    for module, lines in HOLES.items():
        with file_of(module, tree).open("a") as file:
            file.write("\n".join(("", *lines, "")))

    told = linted(tree)

    found = set(re.findall(r"^- (\S+ -> \S+) \(l\.[\d, ]+\)$", told, re.MULTILINE))
    assert found == FOUND, told
    broken = set(re.findall(r"^(.+) BROKEN$", told, re.MULTILINE))
    assert broken >= {*PURE_RULES, "only the event store imports eventsourcing"}


def test_a_module_of_shared_without_a_layer_is_found(tree: Path) -> None:
    (tree / "shared" / "newcomer.py").write_text("")
    assert "shared is layered BROKEN" in linted(tree)


def pure_modules() -> Iterator[str]:
    """Give all that the contracts of type "only" hold, the modules that `parse` and `build` bring in with them too."""
    graph = grimp.build_graph("shared", include_external_packages=True)
    for rule in PURE_RULES.values():
        sources, followed = (
            expand(graph, [ModuleExpression(each) for each in rule.get(key, ())])
            for key in ("source_modules", "followed_modules")
        )
        yield from reached(graph, sources, followed)


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Give line and last name of everything that is called."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if not _compiles_a_pattern(node):
                yield node.lineno, name


def _compiles_a_pattern(call: ast.Call) -> bool:
    return ast.unparse(call.func) == "re.compile"


def test_what_is_pure_opens_no_file_and_asks_neither_clock_nor_chance() -> None:
    modules = set(pure_modules())
    assert {"shared.domain.conversation", "shared.channels.telephony.twilio", "shared.channels.email.mime"} <= modules
    wrong = [
        f"{module}, line {line}: {name}"
        for module in modules
        for line, name in calls(ast.parse(file_of(module).read_text()))
        if name in OUTSIDE | CLOCK_AND_CHANCE
    ]
    assert wrong == []
