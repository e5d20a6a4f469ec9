"""Fixtures of the real servers (tests/peers/fixtures.py), and of databases with Okno's tables (tests/stores.py)."""

pytest_plugins = ("tests.peers.fixtures", "tests.stores")
