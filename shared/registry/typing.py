"""Who is being written to this very moment: no event and no history, one row a conversation, soon out of date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from shared.clock import now, to_text
from shared.database.again import write_again
from shared.database.protocol import Database, Listener, Transaction

TOPIC = "typing"
SCHEMA = """
CREATE TABLE IF NOT EXISTS typing (
    conversation_id TEXT PRIMARY KEY, channel_id TEXT NOT NULL, thread_key TEXT NOT NULL, at TEXT NOT NULL,
    shown_at TEXT NOT NULL
)
"""
FRESH = timedelta(seconds=5)
"""A provider shows it for about as long (Telegram: 5 s, Bot API, sendChatAction)."""


@dataclass(frozen=True, slots=True)
class Writing:
    """An operator is writing in a thread of a channel."""

    conversation_id: UUID
    channel_id: UUID
    thread_key: str


class Typing:
    """Told by the API, shown by outbound; an old row is shown to nobody."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def listen(self) -> Listener:
        return self._database.listen(TOPIC)

    async def tell(self, writing: Writing) -> None:
        """Say that an operator is writing now."""
        await self._database.write(partial(_tell, writing=writing, at=now()), brief=True)

    async def take(self) -> list[Writing]:
        """Return what is to be shown; of two processes one gets it. Mostly there is nothing, which writes nothing."""
        if not await self._database.read(partial(_waits, at=now()), brief=True):
            return []
        return await write_again(self._database, partial(_take, at=now()), brief=True)


def _tell(tx: Transaction, writing: Writing, at: datetime) -> None:
    row = (str(writing.conversation_id), str(writing.channel_id), writing.thread_key, to_text(at))
    tx.run(
        "INSERT INTO typing VALUES (?, ?, ?, ?, '') ON CONFLICT (conversation_id) DO UPDATE SET"
        " channel_id = excluded.channel_id, thread_key = excluded.thread_key, at = excluded.at",
        row,
    )
    tx.notify(TOPIC)


def _waits(tx: Transaction, at: datetime) -> bool:
    return tx.row("SELECT 1 FROM typing WHERE at > ? AND shown_at < at", (to_text(at - FRESH),)) is not None


def _take(tx: Transaction, at: datetime) -> list[Writing]:
    sql = (
        "UPDATE typing SET shown_at = at WHERE at > ? AND shown_at < at"
        " RETURNING conversation_id, channel_id, thread_key"
    )
    rows = tx.rows(sql, (to_text(at - FRESH),))
    tx.run("DELETE FROM typing WHERE at < ?", (to_text(at - 100 * FRESH),))
    return [Writing(UUID(conversation), UUID(channel), key) for conversation, channel, key in rows]
