"""Tests that share a server which takes long to start meet in one process."""

from pathlib import Path

from tests.peers.sharing import BROWSER, KAFKA, SHARING, shared_server

ROOT = Path(__file__).parents[2]


def test_files_that_share_a_server_are_there() -> None:
    assert [path for path in SHARING if not (ROOT / path).exists()] == []


def test_each_file_goes_where_its_server_runs() -> None:
    asked = ("tests/browser/test_search.py::a", "tests/transport/test_kafka.py::b", "tests/test_csv.py::c")
    assert [shared_server(nodeid) for nodeid in asked] == [BROWSER, KAFKA, None]
