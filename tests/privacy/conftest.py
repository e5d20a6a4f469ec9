"""Where a town keeps its log: in the folder it is given, or on a PostgreSQL of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def url(any_url: str, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'okno.db'}" if any_url.startswith("sqlite") else any_url
