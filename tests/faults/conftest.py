"""The stages these tests play on."""

from tests.flows.fixtures import embedded, stage

__all__ = ["embedded", "stage"]
