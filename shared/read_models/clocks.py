"""Events of conversations whose two clocks are far apart: what came late, or from a clock that is ahead of ours.

For almost all events it is the same whether we knew them at a moment or whether they had happened by then: these are
the others. `level` is the power of two the distance reaches, in microseconds, as in `conversations_past`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.ids import text_of
from shared.read_models.moment import microseconds

LEAST = timedelta(seconds=1)
LEAST_LEVEL = (LEAST // timedelta(microseconds=1)).bit_length() - 1
MOST_LEVEL = 60
"""The calendar has 2 ** 58 microseconds."""


class Clocks:
    name = "clocks"
    version = 1
    tables = ("clocks",)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}clocks (
            position BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, level BIGINT NOT NULL, began BIGINT NOT NULL,
            until BIGINT NOT NULL
        )
        """

    def indexes(self, prefix: str) -> str:
        return f"CREATE INDEX IF NOT EXISTS {prefix}clocks_distance ON {prefix}clocks (level, until)"

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        rows = [row for recorded in events if (row := _row(recorded)) is not None]
        tx.insert_many(f"{prefix}clocks", ("position", "conversation_id", "level", "began", "until"), rows)


READ_MODEL = Clocks()


def _row(recorded: e.Recorded) -> Row | None:
    occurred_at, recorded_at = recorded.occurred_at, recorded.recorded_at
    if -LEAST < recorded_at - occurred_at < LEAST:
        return None
    event: Any = recorded.event
    conversation_id = getattr(event, "conversation_id", None)
    if conversation_id is None:
        return None
    began, until = microseconds(occurred_at), microseconds(recorded_at)
    if began > until:
        began, until = until, began
    return (recorded.position, text_of(conversation_id), (until - began).bit_length() - 1, began, until)


def between(tx: Transaction, at: int) -> list[tuple[str, int]]:
    """Return conversation and position of what is between its two times at a moment (microseconds since 1970)."""
    selects: list[str] = []
    parameters: list[object] = []
    for level in range(LEAST_LEVEL, MOST_LEVEL):
        selects.append(
            "SELECT conversation_id, position FROM clocks WHERE level = ? AND until > ? AND until <= ? AND began <= ?"
        )
        parameters += [level, at, at + (2 << level), at]
    return [(id_, position) for id_, position in tx.rows(" UNION ALL ".join(selects), parameters)]
