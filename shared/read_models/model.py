"""What a read model is: tables made from events only, so they can be rebuilt beside the live ones and switched.

`prefix` is empty for the live tables; a rebuild works on tables of its own prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeGuard

from shared.database.protocol import Transaction
from shared.domain.events import Recorded


class ReadModel(Protocol):
    """One file in this package each: its tables, `apply`, and its queries.

    One with `apart = True` follows the log by itself (`live.take_in_apart`): nobody waits until it contains something.
    """

    name: str
    version: int
    """Grows when the tables or `apply` change: the live tables are then rebuilt at start."""
    tables: tuple[str, ...]

    def schema(self, prefix: str) -> str:
        """Return the script that creates the tables, with those indexes that `apply` looks things up by."""

    def indexes(self, prefix: str) -> str:
        """Return the script that creates the indexes of the queries: a rebuild makes them last, which is cheaper."""

    def apply(self, tx: Transaction, events: Sequence[Recorded], prefix: str) -> None:
        """Take in events in the order of the log, each once.

        By the methods of `tx` only, not by its `connection`: a rebuild keeps writes back until a batch is whole.
        """


class InTwo(ReadModel, Protocol):
    """One whose `apply` is `write` of what `made` returns: in a rebuild another process may make it."""

    def made(self, events: Sequence[Recorded]) -> Any:
        """PURE: return what the tables get of events, whatever stands in them: of values that `marshal` takes."""

    def write(self, tx: Transaction, made: Any, prefix: str) -> None:
        """Put it into the tables, in the order of the log, each once."""


class Gathered(Protocol):
    """What events have made of rows that are not written yet."""

    @property
    def size(self) -> int:
        """How many rows that are."""

    def take(self, tx: Transaction, events: Sequence[Recorded]) -> None:
        """Take in events in the order of the log, each once."""

    def write(self, tx: Transaction) -> None:
        """Put the rows into the tables; then none is left."""


class Gathering(ReadModel, Protocol):
    """One whose rows change often. `apply` writes what it gathers; a rebuild gathers more before it writes."""

    def gathered(self, prefix: str) -> Gathered:
        """Return what is empty yet."""


def is_gathering(model: ReadModel) -> TypeGuard[Gathering]:
    return hasattr(model, "gathered")


def is_in_two(model: ReadModel) -> TypeGuard[InTwo]:
    return hasattr(model, "made")
