"""Fixtures of the real servers the tests start; they live in tests/peers/fixtures.py."""

pytest_plugins = ("tests.peers.fixtures",)
