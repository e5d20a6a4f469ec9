"""An event whose bytes were changed, or a log that was cut off, is a hole with a name, and no end of the audit."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.projector.chain import link_next
from shared.audit import stretch
from shared.blobs import Blobs
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store.log import head, read_log
from shared.event_store.mapper import ChangedEvent
from shared.event_store.store import EventStore
from tests.audit.test_ledger import busy_day, holes, ledger_of, position_of


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def column(tx: Transaction) -> str:
    return "rowid" if tx.dialect == "sqlite" else "notification_id"


async def spoil(database: Database, position: int, at: int) -> None:
    """Turn one bit of what is stored of an event; `at` counts from the end when it is negative."""

    def turn(tx: Transaction) -> None:
        (state,) = tx.row(f"SELECT state FROM stored_events WHERE {column(tx)} = ?", (position,)) or (b"",)
        changed = bytearray(state)
        changed[at] ^= 1
        assert tx.run(f"UPDATE stored_events SET state = ? WHERE {column(tx)} = ?", (bytes(changed), position)) == 1

    await database.write(turn)


@pytest.mark.parametrize("events", [500, 3, 1])
@pytest.mark.parametrize("at", [-1, 3, 0])  # in what is sealed, in the key's name, in what tells that it is sealed
async def test_what_cannot_be_read_is_named_and_the_rest_is_looked_at(
    database: Database, store: EventStore, blobs: Blobs, at: int, events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretch, "EVENTS", events)
    await busy_day(database, store, blobs)
    before = await holes(database, blobs)
    asked = await position_of(database, e.ReplyRequested, 1) if events == 500 else await last_of(database)
    await spoil(database, asked, at)
    found = await holes(database, blobs)
    assert ("unreadable", asked) in found
    assert {kind for kind, _ in found} <= {"unreadable", *(kind for kind, _ in before)}
    assert (await ledger_of(database, blobs)).position == await database.read(head)


async def last_of(database: Database) -> int:
    events = await database.read(lambda tx: read_log(tx, 0, 1000))
    return [r.position for r in events if isinstance(r.event, e.ReplyRequested)][1]


async def test_who_reads_such_an_event_is_told_which_it_is(database: Database, store: EventStore, blobs: Blobs) -> None:
    await busy_day(database, store, blobs)
    await spoil(database, 3, -1)
    with pytest.raises(ChangedEvent, match=r"the event at position 3 .*okno audit --verify"):
        await database.read(lambda tx: read_log(tx, 0, 1000))


async def test_a_log_that_ends_before_what_was_made_of_it_is_a_hole(
    database: Database, store: EventStore, blobs: Blobs
) -> None:
    await busy_day(database, store, blobs)
    while await link_next(database):
        continue
    end = await database.read(head)
    assert "cut_off" not in (await ledger_of(database, blobs)).kinds
    await database.write(lambda tx: tx.run(f"DELETE FROM stored_events WHERE {column(tx)} = ?", (end,)))
    assert ("cut_off", await database.read(head)) in await holes(database, blobs)
