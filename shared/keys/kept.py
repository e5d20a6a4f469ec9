"""What was used last, up to a number of things.

It is forgotten by generations, not one by one: a linked list of the order of use costs as much as making a key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Keeps what was used among the last `most` // 2 things at least, and `most` at most, by id."""

    def __init__(self, most: int) -> None:
        self._generation = most // 2
        self._young: dict[bytes, T] = {}
        self._old: dict[bytes, T] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def of(self, ids: Collection[bytes]) -> dict[bytes, T]:
        """Return what there is of some ids."""
        found = {id_: self._young[id_] for id_ in ids if id_ in self._young}
        if self._old and len(found) < len(ids):
            again = {id_: self._old.pop(id_) for id_ in ids if id_ in self._old}
            found |= again
            self.keep(again)
        return found

    def keep(self, new: Mapping[bytes, T]) -> None:
        for id_, thing in new.items():
            if len(self._young) >= self._generation:
                self._young, self._old = {}, self._young
            self._young[id_] = thing

    def clear(self) -> None:
        self._young, self._old = {}, {}
