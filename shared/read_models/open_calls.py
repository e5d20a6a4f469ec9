"""Calls of which no end is known, with when we first heard of each by our own clock: a provider's may be hours off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.clock import to_text
from shared.database.protocol import Transaction
from shared.domain import events as e

_COLUMNS = ("message_id", "conversation_id", "seen_at")


@dataclass(frozen=True, slots=True)
class OpenCall:
    message_id: str
    conversation_id: UUID
    seen_at: str

    @property
    def id(self) -> UUID:
        return UUID(self.message_id)


class OpenCalls:
    name = "open_calls"
    version = 2
    tables = ("open_calls",)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}open_calls (
            message_id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL, seen_at TEXT NOT NULL
        )
        """

    def indexes(self, prefix: str) -> str:
        return ""

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        opened: dict[str, tuple[str, str, str]] = {}
        moved: list[tuple[str, str]] = []
        over: list[tuple[str]] = []
        for recorded in events:
            event = recorded.event
            if isinstance(event, e.MessageReceived) and event.call is not None and is_open(event.call):
                ids = (str(event.message_id), str(event.conversation_id))
                opened[ids[0]] = (*ids, to_text(recorded.recorded_at))
            elif isinstance(event, e.MessageAdopted) and event.message.call is not None:
                moved.append((str(event.conversation_id), str(event.message.message_id)))
            elif isinstance(event, e.CallProgressed) and not is_open(event.call):
                over.append((str(event.message_id),))
        tx.insert_many(f"{prefix}open_calls", _COLUMNS, list(opened.values()))
        if moved:
            tx.run_many(f"UPDATE {prefix}open_calls SET conversation_id = ? WHERE message_id = ?", moved)
        if over:
            tx.run_many(f"DELETE FROM {prefix}open_calls WHERE message_id = ?", over)


READ_MODEL = OpenCalls()


def is_open(call: e.Call) -> bool:
    return call.state in ("ringing", "answered")


def open_calls(tx: Transaction, after: str, limit: int) -> list[OpenCall]:
    """Return calls without an end, in the order of their ids; `after`: the last id of the page before."""
    sql = f"SELECT {','.join(_COLUMNS)} FROM open_calls WHERE message_id > ? ORDER BY message_id LIMIT ?"
    return [OpenCall(id_, UUID(conversation), at) for id_, conversation, at in tx.rows(sql, (after, limit))]
