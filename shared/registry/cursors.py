"""A channel's durable place in its provider's list, and the lease that lets one process poll it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from shared.clock import now, to_text
from shared.database.protocol import Database, Transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS channel_cursors (channel_id TEXT PRIMARY KEY, place TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS channel_leases (channel_id TEXT PRIMARY KEY, owner TEXT NOT NULL, until TEXT NOT NULL)
"""
LEASE = timedelta(seconds=15)
"""How long a channel stays with a process that has died; a lease is renewed every third of it."""


class DatabaseCursor:
    """The `Cursor` of one channel."""

    def __init__(self, database: Database, channel_id: UUID) -> None:
        self._database, self._id = database, str(channel_id)

    async def load(self) -> str | None:
        row = await self._database.read(
            lambda tx: tx.row("SELECT place FROM channel_cursors WHERE channel_id = ?", (self._id,))
        )
        return row[0] if row else None

    async def save(self, place: str) -> None:
        sql = "INSERT INTO channel_cursors VALUES (?, ?) ON CONFLICT (channel_id) DO UPDATE SET place = excluded.place"
        await self._database.write(lambda tx: tx.run(sql, (self._id, place)))


async def take_lease(database: Database, channel_id: UUID, owner: str) -> bool:
    """Take or renew a channel's lease; False while another living process has it."""
    at = now()

    def take(tx: Transaction) -> bool:
        sql = (
            "INSERT INTO channel_leases VALUES (?, ?, ?) ON CONFLICT (channel_id) DO UPDATE SET owner = excluded.owner,"
            " until = excluded.until WHERE channel_leases.owner = excluded.owner OR channel_leases.until < ?"
        )
        return tx.run(sql, (str(channel_id), owner, to_text(at + LEASE), to_text(at))) > 0

    return await database.write(take)


async def give_back_lease(database: Database, channel_id: UUID, owner: str) -> None:
    """Let another process take the channel at once."""
    sql = "DELETE FROM channel_leases WHERE channel_id = ? AND owner = ?"
    await database.write(lambda tx: tx.run(sql, (str(channel_id), owner)))
