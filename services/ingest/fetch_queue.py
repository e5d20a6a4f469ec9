"""The files that are still with their provider: a table, written before the item that names them is published.

A fetch is held until that publish has returned; what a crash left held goes free by itself. The same item published
again (by a provider that had no confirmation) has its results told again, so none is told to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared.clock import from_text, now, to_text
from shared.contracts.codec import NAMES, Encoded, decode, encode
from shared.contracts.files import FileFetched, FileUnavailable, fetch_id
from shared.contracts.inbound import InboundMessage, RemoteFile, partition_key
from shared.database.protocol import Database, Transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS fetches (
    id TEXT PRIMARY KEY, inbound_id TEXT NOT NULL, channel_id TEXT NOT NULL, key TEXT NOT NULL, file TEXT NOT NULL,
    state TEXT NOT NULL, tries BIGINT NOT NULL, first_try_at TEXT, due_at TEXT NOT NULL, result BLOB,
    result_type TEXT, holds BIGINT NOT NULL, created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS fetches_open ON fetches (state, due_at) WHERE state <> 'told';
CREATE INDEX IF NOT EXISTS fetches_of_item ON fetches (inbound_id)
"""
HELD = timedelta(seconds=60)
"""For so long an item may be on its way into the transport."""
LEASE = timedelta(minutes=5)
"""Longer than any fetch may take: what is not settled by then was begun by a process that died."""
_COLUMNS = ("id", "inbound_id", "channel_id", "key", "file", "state", "tries", "due_at", "holds", "created_at")
_file = msgspec.json.Decoder(RemoteFile)
Result = FileFetched | FileUnavailable


@dataclass(frozen=True, slots=True)
class Fetch:
    """A file to be fetched now; `tries` counts this one."""

    id: UUID
    inbound_id: UUID
    channel_id: UUID
    file: RemoteFile
    tries: int
    first_try_at: datetime


@dataclass(frozen=True, slots=True)
class Untold:
    """A result of which nobody knows; `key` is the client's. `holds`: how often its item had been published before."""

    id: UUID
    key: str
    result: Result
    holds: int


class FetchQueue:
    """The table as one process uses it."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._database, self._clock = database, clock
        self.wake: Callable[[], None] = lambda: None
        """Called when something may be due."""

    async def hold(self, item: InboundMessage) -> None:
        """Note the files of an item that is about to be published. Raises DatabaseUnavailable."""
        at, until = to_text(self._clock()), to_text(self._clock() + HELD)
        head = (str(item.id), str(item.channel_id), partition_key(item.sender))
        files = {file.ref: file for file in item.remote_files}
        rows = [
            (str(fetch_id(item.id, ref)), *head, msgspec.json.encode(file).decode(), "queued", 0, until, 0, at)
            for ref, file in files.items()
        ]
        again = "due_at = excluded.due_at, holds = fetches.holds + 1,"
        state = "state = CASE fetches.state WHEN 'told' THEN 'done' ELSE fetches.state END"
        tail = f"ON CONFLICT (id) DO UPDATE SET {again} {state}"
        await self._database.write(lambda tx: tx.insert_many("fetches", _COLUMNS, rows, tail))

    async def release(self, inbound_id: UUID) -> None:
        """The item is published: its files may be fetched."""
        values = (to_text(self._clock()), str(inbound_id))
        sql = "UPDATE fetches SET due_at = ? WHERE inbound_id = ? AND state <> 'told'"
        await self._database.write(lambda tx: tx.run(sql, values))
        self.wake()

    async def recover(self) -> None:
        """Nobody else can be fetching: what was begun is due now."""
        sql = "UPDATE fetches SET due_at = ? WHERE state = 'queued' AND tries > 0 AND due_at > ?"
        at = to_text(self._clock())
        await self._database.write(lambda tx: tx.run(sql, (at, at)))

    async def claim(self, places: Mapping[UUID, int]) -> list[Fetch]:
        """Take up to so many due fetches of each channel."""
        at = self._clock()
        if not places:
            return []
        return await self._database.write(
            lambda tx: [fetch for id_, free in places.items() for fetch in _take(tx, id_, free, at)]
        )

    async def again(self, fetch: Fetch, due_at: datetime) -> None:
        """It is to be tried again at a time."""
        values = (to_text(due_at), str(fetch.id))
        await self._database.write(lambda tx: tx.run("UPDATE fetches SET due_at = ? WHERE id = ?", values))

    async def settle(self, result: Result) -> None:
        """Keep a result until it is told."""
        data, name = msgspec.json.encode(result), NAMES[type(result)]
        values = (data, name, to_text(self._clock()), str(result.id))
        sql = "UPDATE fetches SET state = 'done', result = ?, result_type = ?, due_at = ? WHERE id = ?"
        await self._database.write(lambda tx: tx.run(sql, values))

    async def untold(self, limit: int = 100) -> list[Untold]:
        """Return results that are to be told."""
        sql = "SELECT id, key, result, result_type, holds FROM fetches WHERE state = 'done' AND due_at <= ? LIMIT ?"
        rows = await self._database.read(lambda tx: tx.rows(sql, (to_text(self._clock()), limit)))
        return [Untold(UUID(id_), key, _result(bytes(data), name), holds) for id_, key, data, name, holds in rows]

    async def told(self, results: list[Untold]) -> None:
        """What was published again meanwhile is to be told again."""
        ids = [(str(each.id), each.holds) for each in results]
        sql = "UPDATE fetches SET state = 'told' WHERE id = ? AND holds = ? AND state = 'done'"
        await self._database.write(lambda tx: tx.run_many(sql, ids))

    async def channels(self) -> set[UUID]:
        """Return the channels for which files are waiting."""
        sql = "SELECT DISTINCT channel_id FROM fetches WHERE state = 'queued' AND due_at <= ?"
        rows = await self._database.read(lambda tx: tx.rows(sql, (to_text(self._clock()),)))
        return {UUID(id_) for (id_,) in rows}


def record(result: Result) -> Encoded:
    """Return what is published of a result."""
    return encode(result, id=result.id, source=f"/channels/{result.channel_id}", at=result.at)


def _take(tx: Transaction, channel_id: UUID, places: int, at: datetime) -> list[Fetch]:
    """The lease is the time at which it is due again."""
    lock = "FOR UPDATE SKIP LOCKED" if tx.dialect == "postgres" else ""
    sql = (
        "WITH mine AS MATERIALIZED (SELECT id FROM fetches WHERE state = 'queued' AND due_at <= ? AND channel_id = ?"
        f" ORDER BY due_at LIMIT ? {lock})"
        " UPDATE fetches SET tries = tries + 1, due_at = ?, first_try_at = COALESCE(first_try_at, ?)"
        " WHERE id IN (SELECT id FROM mine) RETURNING id, inbound_id, file, tries, first_try_at"
    )
    rows = tx.rows(sql, (to_text(at), str(channel_id), places, to_text(at + LEASE), to_text(at)))
    return [
        Fetch(UUID(id_), UUID(inbound_id), channel_id, _file.decode(file), tries, from_text(first))
        for id_, inbound_id, file, tries, first in rows
    ]


def _result(data: bytes, name: str) -> Result:
    result = decode(data, {"ce_type": name})
    assert isinstance(result, FileFetched | FileUnavailable)
    return result
