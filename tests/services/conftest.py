"""The `okno` command for every test of the services that wants it."""

from tests.services.command_line import okno

__all__ = ["okno"]
