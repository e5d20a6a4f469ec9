"""PostgreSQL knows nothing of a log whose writers never leave it to ANALYZE: its index finds streams even so."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from shared.database.open import open_database
from shared.database.protocol import Transaction
from shared.event_store import log

ROWS, EVENTS_A_STREAM = 100_000, 10
FILL = f"""INSERT INTO stored_events (originator_id, originator_version, topic, state)
SELECT md5((g / {EVENTS_A_STREAM})::text)::uuid, g % {EVENTS_A_STREAM} + 1, 'A', decode(repeat('7b', 200), 'hex')
FROM generate_series(0, {ROWS - 1}) AS g"""
SEQUENTIAL = "SELECT pg_stat_get_numscans('stored_events'::regclass)"
Read = Callable[[Transaction, list[UUID]], int]
READS: dict[str, Read] = {
    "read_streams": lambda tx, ids: len(log._of_streams(tx, ids, "", ())),
    "until a position": lambda tx, ids: len(log._of_streams(tx, ids, "AND +{position} <= ?", (ROWS,))),
    "read_short": lambda tx, ids: len(log._of_streams(tx, ids, "AND originator_version <= ?", (50,))),
    "read_beginnings": lambda tx, ids: len(log._of_streams(tx, ids, "AND originator_version = 1", ())),
}


@pytest.mark.cluster
async def test_many_streams_of_a_log_that_was_never_analyzed_are_found_without_reading_all_of_it(
    furnished_url: str,
) -> None:
    database = open_database(furnished_url)
    with database.writing() as tx:
        tx.run("ALTER TABLE stored_events SET (autovacuum_enabled = off)")
        tx.run(FILL)
        streams = tx.rows("SELECT originator_id FROM stored_events WHERE notification_id % 1000 = 0")
    ids = [UUID(str(id_)) for (id_,) in streams]
    for name, read in READS.items():
        with database.reading() as tx:
            before = tx.rows(SEQUENTIAL)
            assert read(tx, ids) == len(ids) * (1 if name == "read_beginnings" else EVENTS_A_STREAM), name
            tx.rows("SELECT pg_stat_force_next_flush()")
        with database.reading() as tx:
            assert tx.rows(SEQUENTIAL) == before, name
    await database.close()
