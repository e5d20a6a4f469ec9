"""Errors have one way to be said, so that none is an empty text in a log, a status or a dead letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.said import said, said_with_kind

ROOT = Path(__file__).parents[2]
OTHER_WAYS = (
    re.compile(r"\b(error|reason|why|problem)=str\(\w+\)(?! or)"),
    re.compile(r"\{type\((\w+)\)\.__name__\}: \{\1\}"),
    re.compile(r"str\(\w+\)\.splitlines\(\)\[0\]"),
)


@pytest.mark.parametrize(
    ("error", "words", "with_kind"),
    [
        (TimeoutError(), "TimeoutError", "TimeoutError"),
        (ValueError(" \n"), "ValueError", "ValueError"),
        (OSError(28, "No space left"), "[Errno 28] No space left", "OSError: [Errno 28] No space left"),
    ],
)
def test_an_error_is_never_said_in_an_empty_text(error: Exception, words: str, with_kind: str) -> None:
    assert (said(error), said_with_kind(error)) == (words, with_kind)


def test_no_other_way_is_used() -> None:
    files = [file for folder in ("services", "shared") for file in (ROOT / folder).rglob("*.py")]
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in files
        if "node_modules" not in file.parts
        for line in file.read_text().splitlines()
        if any(way.search(line) for way in OTHER_WAYS)
    ]
    assert found == []
