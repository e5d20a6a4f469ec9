"""What the domain says when it refuses."""

from __future__ import annotations


class Refused(Exception):
    """The command does not fit the state; the text is for the person who gave it. `code` is for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class NoSuchThing(Refused):
    """The conversation, reply or item does not exist."""
