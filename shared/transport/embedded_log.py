"""The tables of the embedded transport and their SQL. Positions of a topic grow by commit and are never used again."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import orjson

from shared.database.protocol import Database, Transaction
from shared.transport.limits import READ_BYTES
from shared.transport.protocol import Outgoing, Record
from shared.values import dataclass

PARTITIONS = 8
"""Fixed for the life of a database: another number would send a key elsewhere, past its older records."""
KEEP = timedelta(hours=24)
KEEP_UNREAD = timedelta(days=30)
TRIM_ROWS = 500
ALL = 2**62

SCHEMA = """
CREATE TABLE IF NOT EXISTS transport_topics (topic TEXT PRIMARY KEY, head BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS transport_log (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, position BIGINT NOT NULL, size INTEGER NOT NULL,
    published_at BIGINT NOT NULL, key BLOB NOT NULL, headers BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (topic, partition, position)
);
CREATE TABLE IF NOT EXISTS transport_positions (
    group_name TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, position BIGINT NOT NULL,
    PRIMARY KEY (group_name, topic, partition)
)
"""
_COLUMNS = ("topic", "partition", "position", "size", "published_at", "key", "headers", "value")
_NEXT_POSITIONS = (
    "INSERT INTO transport_topics VALUES (?, ?)"
    " ON CONFLICT (topic) DO UPDATE SET head = transport_topics.head + excluded.head RETURNING head"
)
_FORWARD = (
    "ON CONFLICT (group_name, topic, partition) DO UPDATE SET position = excluded.position"
    " WHERE excluded.position > transport_positions.position"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record ready to be stored; making it proves that it can be."""

    partition: int
    size: int
    key: bytes
    headers: bytes
    value: bytes


def entry(record: Outgoing, size: int) -> Entry:
    """Return the stored form. Raises ValueError or TypeError for text that is no Unicode."""
    key = record.key.encode()
    return Entry(zlib.crc32(key) % PARTITIONS, size, key, orjson.dumps(dict(record.headers)), record.value)


def wake_up(topic: str) -> str:
    """Return the database topic that is notified when a record comes or the members of a group change."""
    return f"transport:{topic}"


def source(topic: str, partition: int) -> str:
    return f"{topic}/{partition}"


def partition_of(source: str) -> int:
    return int(source.rpartition("/")[2])


def append(tx: Transaction, topic: str, entries: Sequence[Entry], at: datetime) -> None:
    """Store entries at the next positions; the topic's row keeps other writers out until the commit."""
    head = tx.rows(_NEXT_POSITIONS, (topic, len(entries)))[0][0]
    moment = _milliseconds(at)
    rows = [
        (topic, e.partition, position, e.size, moment, e.key, e.headers, e.value)
        for position, e in enumerate(entries, head - len(entries) + 1)
    ]
    tx.insert_many("transport_log", _COLUMNS, rows)
    tx.notify(wake_up(topic))


def read(tx: Transaction, topic: str, after: Mapping[int, int], limit: int) -> list[Record]:
    """Return the next records of some partitions in the order of publishing, at least one and about READ_BYTES."""
    if not after:
        return []
    parameters: list[object] = []
    for partition, position in after.items():
        parameters += (topic, partition, position)
    rows = tx.rows(_read_sql(len(after)), [*parameters, limit, topic, READ_BYTES])
    return [
        Record(source(topic, partition), position, bytes(key).decode(), bytes(value), orjson.loads(headers))
        for partition, position, key, headers, value in rows
    ]


def load_positions(tx: Transaction, group: str, topic: str) -> dict[int, int]:
    sql = "SELECT partition, position FROM transport_positions WHERE group_name = ? AND topic = ?"
    return dict(tx.rows(sql, (group, topic)))


def ends(tx: Transaction, topic: str) -> dict[str, int]:
    """Return the position of the last record of each partition that has any, by source."""
    sql = "SELECT partition, MAX(position) FROM transport_log WHERE topic = ? GROUP BY partition"
    return {source(topic, partition): position for partition, position in tx.rows(sql, (topic,))}


def save_positions(tx: Transaction, group: str, topic: str, positions: Mapping[int, int]) -> None:
    """Store positions that are further than those stored."""
    rows = [(group, topic, partition, position) for partition, position in positions.items()]
    tx.insert_many("transport_positions", ("group_name", "topic", "partition", "position"), rows, _FORWARD)


def waiting(tx: Transaction, topic: str, after: Mapping[int, int]) -> int:
    """Return how many records lie behind the positions."""
    sql = "SELECT COUNT(*) FROM transport_log WHERE topic = ? AND partition = ? AND position > ?"
    return sum(tx.rows(sql, (topic, partition, position))[0][0] for partition, position in after.items())


async def trim(database: Database, at: datetime, keep: timedelta = KEEP, unread: timedelta = KEEP_UNREAD) -> int:
    """Delete what all groups have passed and is older than `keep`; where no group ever read, older than `unread`.

    Returns how many records went. Works in small transactions, so that publishing goes on meanwhile.
    """
    deleted = 0
    for topic, partition, passed in await database.read(_passed):
        before = _milliseconds(at - (unread if passed is None else keep))
        until = ALL if passed is None else passed
        job = partial(_trim_some, topic=topic, partition=partition, until=until, before=before)
        while count := await database.write(job):
            deleted += count
    return deleted


def _trim_some(tx: Transaction, topic: str, partition: int, until: int, before: int) -> int:
    sql = (
        "DELETE FROM transport_log WHERE topic = ? AND partition = ? AND position IN (SELECT position FROM ("
        "SELECT position, published_at FROM transport_log WHERE topic = ? AND partition = ? AND position <= ?"
        " ORDER BY position LIMIT ?) AS oldest WHERE published_at < ?)"
    )
    return tx.run(sql, (topic, partition, topic, partition, until, TRIM_ROWS, before))


def _passed(tx: Transaction) -> list[tuple[str, int, int | None]]:
    """Return for every partition how far all its groups are; None where no group ever read."""
    topics = [topic for (topic,) in tx.rows("SELECT topic FROM transport_topics")]
    sql = "SELECT topic, partition, MIN(position) FROM transport_positions GROUP BY topic, partition"
    passed = {(topic, partition): position for topic, partition, position in tx.rows(sql)}
    return [(topic, p, passed.get((topic, p))) for topic in topics for p in range(PARTITIONS)]


def _read_sql(partitions: int) -> str:
    """One statement: a merge of the partitions by position, cut off where the sizes add up, then the rows' content."""
    one = "SELECT partition, position, size FROM transport_log WHERE topic = ? AND partition = ? AND position > ?"
    merged = " UNION ALL ".join([one] * partitions)
    return (
        f"WITH next AS ({merged} ORDER BY position LIMIT ?),"
        " sized AS (SELECT partition, position, SUM(size) OVER (ORDER BY position) - size AS before FROM next)"
        " SELECT log.partition, log.position, log.key, log.headers, log.value"
        " FROM sized CROSS JOIN transport_log AS log WHERE log.topic = ? AND log.partition = sized.partition"
        " AND log.position = sized.position AND sized.before < ? ORDER BY log.position"
    )


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
