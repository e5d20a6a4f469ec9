"""Folded states of the conversations used last, so that a message does not read its whole conversation again.

A stale state is harmless: the version it carries makes the append a Conflict, and it is forgotten; a decision that
appends nothing is taken again on the log.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

from shared.domain.conversation import Conversation
from shared.values import dataclass

SIZE = 10_000
"""Of some 3 KB each."""
SIZE_APART = 20_000
"""Where the log is in another process: what is not remembered costs a message half as much again."""


@dataclass(frozen=True, slots=True)
class Versioned:
    """A conversation as of one version of its stream."""

    version: int
    state: Conversation


class StateCache:
    """Least recently used first out; used from several threads."""

    def __init__(self, size: int = SIZE) -> None:
        self._states: OrderedDict[UUID, Versioned] = OrderedDict()
        self._size, self._lock = size, threading.Lock()

    def get(self, conversation_id: UUID) -> Versioned | None:
        with self._lock:
            found = self._states.get(conversation_id)
            if found is not None:
                self._states.move_to_end(conversation_id)
            return found

    def put(self, states: Iterable[tuple[UUID, Versioned]]) -> None:
        with self._lock:
            for id_, state in states:
                known = self._states.get(id_)
                if known is None or known.version < state.version:
                    self._states[id_] = state
                    self._states.move_to_end(id_)
            while len(self._states) > self._size:
                self._states.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._states.clear()

    def forget(self, conversation_ids: Iterable[UUID]) -> None:
        with self._lock:
            for id_ in conversation_ids:
                self._states.pop(id_, None)
