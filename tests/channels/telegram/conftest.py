"""The Bot API of a test's own. Whatever a test did with it, the spec allows every call that was made."""

from collections.abc import Iterator

import pytest

from tests.peers.telegram import TelegramServer


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer() as server:
        yield server
        assert server.violations == []
