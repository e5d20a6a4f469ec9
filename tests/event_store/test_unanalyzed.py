"""PostgreSQL knows nothing of a log whose writers never leave it to ANALYZE: its index finds streams even so."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from uuid import UUID

import pytest

from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.event_store import log_streams as log

ROWS, EVENTS_A_STREAM = 100_000, 10
TOPIC = "A"
FILL = f"""INSERT INTO stored_events (originator_id, originator_version, topic, state)
SELECT md5((g / {EVENTS_A_STREAM})::text)::uuid, g % {EVENTS_A_STREAM} + 1, '{TOPIC}', decode(repeat('7b', 200), 'hex')
FROM generate_series(0, {ROWS - 1}) AS g"""
LOOKED_AT = """SELECT t.seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid)
FROM pg_stat_user_tables t WHERE t.relname = 'stored_events'"""
Read = Callable[[Transaction, list[UUID]], int]
READS: dict[str, Read] = {
    "read_streams": lambda tx, ids: len(log._of_streams(tx, ids, "", ())),
    "until a position": lambda tx, ids: len(log._of_streams(tx, ids, "AND +{position} <= ?", (ROWS,))),
    "read_short": lambda tx, ids: len(log._of_streams(tx, ids, "AND originator_version <= ?", (50,))),
    "read_versions": lambda tx, ids: len(log._versions(tx, dict.fromkeys(ids, 0), ROWS, 200)),
    "read_streams_window": lambda tx, ids: len(log.read_streams_window(tx, ids, 0, ROWS, ROWS, [TOPIC])),
    "read_newest": lambda tx, ids: sum(len(log.read_newest(tx, (id_, id_), [TOPIC], ROWS + 1, 50)) for id_ in ids),
    "read_beginnings": lambda tx, ids: len(log._of_streams(tx, ids, "AND originator_version = 1", ())),
}


@pytest.mark.cluster
async def test_streams_of_a_log_that_was_never_analyzed_are_found_without_reading_much_of_it(
    furnished_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "events_of", lambda tx, rows, pass_over=False: rows)
    database = open_database(furnished_url)
    with database.writing() as tx:
        tx.run("ALTER TABLE stored_events SET (autovacuum_enabled = off)")
        tx.run(FILL)
    ids = [UUID(md5(str(number).encode()).hexdigest()) for number in range(0, ROWS // EVENTS_A_STREAM, 100)]
    for name, read in READS.items():
        before = looked_at(database)
        with database.reading() as tx:
            assert read(tx, ids) == len(ids) * (1 if name == "read_beginnings" else EVENTS_A_STREAM), name
            tx.rows("SELECT pg_stat_force_next_flush()")
        assert looked_at(database) - before < 5 * EVENTS_A_STREAM * len(ids) < ROWS, name
    await database.close()


def looked_at(database: Database) -> int:
    """Return how many rows and entries of the log's indexes PostgreSQL has looked at until now."""
    with database.writing() as tx:
        tx.rows("SELECT pg_stat_force_next_flush()")
    with database.reading() as tx:
        count: int = tx.rows(LOOKED_AT)[0][0]
    return count
