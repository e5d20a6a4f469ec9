"""Fixtures of the real servers (tests/peers/fixtures.py), and of databases with Okno's tables (tests/stores.py)."""

import gc
import logging
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from shared import logs

# What a helper asserts says its values too, as in a test's own file.
pytest.register_assert_rewrite(*(f"tests.{each.name}" for each in Path(__file__).parent.iterdir() if each.is_dir()))
pytest_plugins = ("tests.peers.fixtures", "tests.peers.sharing", "tests.stores")


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # What a shell without job control leaves in the background begins so, and every process of the tests inherits it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Python's collector would walk all that is imported again and again: a third of the processor's time it takes."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A command sets the log up for its whole process, on a stderr that is gone after the test."""
    before = (logs._Output.stream, logs._Output.level)
    yield
    logs._Output.stream, logs._Output.level = before
    root = logging.getLogger()
    root.handlers[:] = [each for each in root.handlers if not isinstance(each.formatter, logs.JsonLines)]
