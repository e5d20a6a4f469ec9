"""When the log was last compared with its hash chain, by whom, and what came out: a memory of it, no proof."""

from __future__ import annotations

from dataclasses import dataclass

from shared.database.protocol import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS log_verifications (
    only_one INTEGER PRIMARY KEY, at TEXT NOT NULL, by_name TEXT NOT NULL, events BIGINT NOT NULL, head TEXT NOT NULL,
    difference TEXT NOT NULL
)
"""
_COLUMNS = "at, by_name, events, head, difference"


@dataclass(frozen=True, slots=True)
class Verification:
    """`head` is POSITION:HASH; `difference`: the first place that is not as it was, in words; empty: none."""

    at: str
    by: str
    events: int
    head: str
    difference: str


class Verifications:
    """The last verification; an older one that ends later does not replace it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self) -> Verification | None:
        row = await self._database.read(lambda tx: tx.row(f"SELECT {_COLUMNS} FROM log_verifications"))
        return Verification(*row) if row else None

    async def keep(self, done: Verification) -> None:
        sets = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", "))
        sql = f"INSERT INTO log_verifications (only_one, {_COLUMNS}) VALUES (1, ?, ?, ?, ?, ?)"
        sql += f" ON CONFLICT (only_one) DO UPDATE SET {sets} WHERE log_verifications.at <= excluded.at"
        values = (done.at, done.by, done.events, done.head, done.difference)
        await self._database.write(lambda tx: tx.run(sql, values))
