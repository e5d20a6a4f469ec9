"""Which files go to one process of several (-n 3): those that share a server which takes long to start.

Kafka, Chromium and the stages are started once in each process that meets a test of theirs, so these tests meet in one.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

KAFKA, BROWSER = "Kafka", "the browser"
SHARING = {
    "tests/browser/": BROWSER,
    "tests/faults/test_kill_9.py": KAFKA,
    "tests/flows/": KAFKA,
    "tests/peers/test_peers.py": KAFKA,
    "tests/transport/": KAFKA,
}


def shared_server(nodeid: str) -> str | None:
    """The server a test shares with those of other files, None for the rest."""
    return next((server for path, server in SHARING.items() if nodeid.startswith(path)), None)


class Together(LoadFileScheduling):
    """Gives out files, or all files that share a server."""

    def _split_scope(self, nodeid: str) -> str:
        return shared_server(nodeid) or super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together | None:
    return Together(config, log) if config.getoption("dist") == "loadfile" else None
