"""Reads the embedded log from its beginning, beside its groups."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType

from shared.database.protocol import Database, DatabaseUnavailable, Transaction
from shared.said import said
from shared.transport import embedded_log as log
from shared.transport.protocol import Record, TransportUnavailable

BATCH = 500


async def look_embedded(
    database: Database, topic: str, since: datetime | None = None, behind: Mapping[str, int] = MappingProxyType({})
) -> AsyncIterator[list[Record]]:
    """Yield what the topic holds now, behind an offset of each source that is named. Raises TransportUnavailable."""
    try:
        after, end = await database.read(partial(_bounds, topic=topic, since=since))
        after |= {p: max(position, behind.get(log.source(topic, p), 0)) for p, position in after.items()}
        while records := await database.read(partial(log.read, topic=topic, after=after, limit=BATCH)):
            yield [record for record in records if record.offset <= end]
            for record in records:
                after[log.partition_of(record.source)] = record.offset
            if records[-1].offset >= end:
                return
    except DatabaseUnavailable as error:
        raise TransportUnavailable(said(error)) from error


def _bounds(tx: Transaction, topic: str, since: datetime | None) -> tuple[dict[int, int], int]:
    """Return where to begin in each partition, and the topic's head; a topic nobody has published to is empty."""
    if tx.dialect == "sqlite" and not tx.row("SELECT 1 FROM sqlite_master WHERE name = 'transport_log'"):
        return {}, 0
    row = tx.row("SELECT head FROM transport_topics WHERE topic = ?", (topic,))
    sql = "SELECT max(position) FROM transport_log WHERE topic = ? AND partition = ? AND published_at < ?"
    moment = int(since.timestamp() * 1000) if since else 0
    skipped = {p: tx.row(sql, (topic, p, moment)) for p in range(log.PARTITIONS)} if since else {}
    after = {p: int((skipped.get(p) or (0,))[0] or 0) for p in range(log.PARTITIONS)}
    return after, int(row[0]) if row else 0
