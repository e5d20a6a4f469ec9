"""Fixtures of the real servers (tests/peers/fixtures.py), and of databases with Okno's tables (tests/stores.py)."""

import logging
from collections.abc import Iterator

import pytest

from shared import logs

pytest_plugins = ("tests.peers.fixtures", "tests.peers.sharing", "tests.stores")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A command sets the log up for its whole process, on a stderr that is gone after the test."""
    before = (logs._Output.stream, logs._Output.level)
    yield
    logs._Output.stream, logs._Output.level = before
    root = logging.getLogger()
    root.handlers[:] = [each for each in root.handlers if not isinstance(each.formatter, logs.JsonLines)]
