"""`office`: the API with a store, a clock, a client with a token and a browser without."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.services.inbox_api import office as offices
from tests.services.inbox_api.office import Office


@pytest_asyncio.fixture
async def office(tmp_path: Path, furnished_file: Path) -> AsyncIterator[Office]:
    shutil.copy(furnished_file, tmp_path)
    async with offices.office(tmp_path) as opened:
        yield opened
