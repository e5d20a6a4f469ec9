"""The hash chain over the log: whatever is done to what lies behind a link is named by its place."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from services.projector import chain as follower
from services.projector.chain import link_forever, link_next
from shared.database.protocol import Conflict, Database, Transaction
from shared.event_store import chain, chain_verify
from shared.event_store.chain_verify import Head, Verified, verify
from shared.event_store.store import EventStore
from tests.read_models.test_read_models import long_history, record
from tests.services.fakes import until
from tests.services.projector.running import running

SMALL = 20
"""Events of a link in these tests."""


async def linked(database: Database) -> None:
    while await link_next(database):
        pass


@pytest.fixture(autouse=True)
def small_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "EVENTS", SMALL)
    monkeypatch.setattr(chain_verify, "EVENTS", 2 * SMALL)


async def filled(database: Database, store: EventStore, count: int = 120) -> int:
    """Record a history, link all of it; return how many events it has."""
    events = long_history(count)
    await record(store, events)
    await linked(database)
    return len(events)


def position(tx: Transaction) -> str:
    return "rowid" if tx.dialect == "sqlite" else "notification_id"


async def tamper(database: Database, sql: str, *parameters: object) -> None:
    """Run a statement in which `{position}` is the column of the log's position."""
    count = await database.write(lambda tx: tx.run(sql.format(position=position(tx)), parameters))
    assert count == 1


async def found(database: Database) -> tuple[str, int | None, int]:
    difference = (await verify(database)).difference
    assert difference is not None
    return difference.what, difference.position, difference.link


async def test_an_untouched_log_is_verified_whole(database: Database, store: EventStore) -> None:
    count = await filled(database, store)
    drawn: list[tuple[int, int]] = []
    verified = await verify(database, progress=lambda done, total: drawn.append((done, total)))
    last = await database.read(chain.last_link)
    assert verified == Verified(-(-count // SMALL), count, Head(count, last.hash), 0, None)
    assert drawn[-1] == (count, count)
    assert len(drawn) > 2


async def test_an_empty_log_is_in_order(database: Database, store: EventStore) -> None:
    assert await verify(database) == Verified(0, 0, Head(0, chain.GENESIS), 0, None)


async def test_what_has_no_link_yet_is_told(database: Database, store: EventStore) -> None:
    events = long_history(60)
    await record(store, events[:30])
    await linked(database)
    await record(store, events[30:])
    verified = await verify(database)
    assert (verified.events, verified.unlinked, verified.difference) == (30, len(events) - 30, None)


async def test_one_changed_byte_is_named(database: Database, store: EventStore) -> None:
    await filled(database, store)
    (state,) = await database.read(
        lambda tx: tx.row(f"SELECT state FROM stored_events WHERE {position(tx)} = ?", (47,)) or (b"",)
    )
    changed = bytes(state).replace(b"a", b"b", 1)
    await tamper(database, "UPDATE stored_events SET state = ? WHERE {position} = 47", changed)
    assert await found(database) == ("changed", 47, 3)


@pytest.mark.parametrize("where", [1, 21])
async def test_a_removed_event_is_named(database: Database, store: EventStore, where: int) -> None:
    await filled(database, store)
    await tamper(database, f"DELETE FROM stored_events WHERE {{position}} = {where}")
    assert await found(database) == ("removed", where, (where - 1) // SMALL + 1)


async def test_a_log_that_was_cut_off_is_found(database: Database, store: EventStore) -> None:
    count = await filled(database, store)
    await tamper(database, "DELETE FROM stored_events WHERE {position} = ?", count)
    assert await found(database) == ("removed", count, -(-count // SMALL))


@pytest.mark.parametrize("where", [-5])
async def test_an_event_inserted_before_the_beginning_is_named(
    database: Database, store: EventStore, where: int
) -> None:
    await filled(database, store)
    await insert_copy(database, where)
    assert await found(database) == ("inserted", where, 1)


async def test_an_event_inserted_into_a_gap_is_named(database: Database, store: EventStore) -> None:
    events = long_history(120)
    await record(store, events)
    await tamper(database, "DELETE FROM stored_events WHERE {position} = 47")  # a gap there was from the beginning
    await linked(database)
    assert (await verify(database)).difference is None
    await insert_copy(database, 47)
    assert await found(database) == ("inserted", 47, 3)


async def insert_copy(database: Database, where: int) -> None:
    def insert(tx: Transaction) -> None:
        columns = "originator_id, originator_version, topic, state"
        tx.run(
            f"INSERT INTO stored_events ({position(tx)}, {columns})"
            f" SELECT {where}, originator_id, originator_version + 1000, topic, state FROM stored_events LIMIT 1"
        )

    await database.write(insert)


async def test_two_events_that_changed_places_are_named(database: Database, store: EventStore) -> None:
    await filled(database, store)

    def swap(tx: Transaction) -> None:
        for old, new in ((47, -1), (50, 47), (-1, 50)):
            tx.run(f"UPDATE stored_events SET {position(tx)} = ? WHERE {position(tx)} = ?", (new, old))

    await database.write(swap)
    assert await found(database) == ("moved", 47, 3)


@pytest.mark.parametrize(
    "change",
    ["hash = ?", "marks = ?"],
)
async def test_a_changed_link_is_named(database: Database, store: EventStore, change: str) -> None:
    await filled(database, store)
    await tamper(database, f"UPDATE log_chain SET {change} WHERE number = 2", b"\x07" * 24 * SMALL)
    assert await found(database) == ("link", None, 2)


async def test_a_link_that_says_another_end_is_named(database: Database, store: EventStore) -> None:
    await filled(database, store)
    await tamper(database, "UPDATE log_chain SET until = 39 WHERE number = 2")
    assert await found(database) == ("link", None, 2)


@pytest.mark.parametrize("number", [3])
async def test_a_removed_link_is_named(database: Database, store: EventStore, number: int) -> None:
    await filled(database, store)
    await tamper(database, f"DELETE FROM log_chain WHERE number = {number}")
    assert await found(database) == ("link", None, number)


async def test_a_log_rewritten_with_its_chain_is_found_by_a_head_noted_before(
    database: Database, store: EventStore
) -> None:
    await filled(database, store)
    noted = [Head(link.until, link.hash) for link in await database.read(partial(_all_links))]
    await tamper(database, "UPDATE stored_events SET state = state || state WHERE {position} = 47")
    await database.write(lambda tx: tx.run("DELETE FROM log_chain"))
    await linked(database)
    assert (await verify(database)).difference is None
    assert [_what((await verify(database, head)).difference) for head in noted] == [
        None,
        None,
        *["head"] * (len(noted) - 2),
    ]


async def test_a_log_cut_off_with_its_chain_is_found_by_a_head_noted_before(
    database: Database, store: EventStore
) -> None:
    await filled(database, store)
    noted = (await verify(database)).head

    def cut(tx: Transaction) -> None:
        tx.run(f"DELETE FROM stored_events WHERE {position(tx)} > 40")
        tx.run("DELETE FROM log_chain WHERE number > 2")

    await database.write(cut)
    assert (await verify(database)).difference is None
    difference = (await verify(database, Head.parse(str(noted)))).difference
    assert difference is not None
    assert (difference.what, difference.position) == ("head", noted.position)


def _all_links(tx: Transaction) -> list[chain.Link]:
    return chain.links(tx, 0, 1000, 1000)


def _what(difference: chain_verify.Difference | None) -> str | None:
    return difference.what if difference else None


async def test_two_who_link_at_once_make_one_chain(database: Database, store: EventStore) -> None:
    await record(store, long_history(120))
    await asyncio.gather(*(linked(database) for _ in range(2)))
    await linked(database)
    assert (await verify(database)).difference is None


async def test_a_link_that_another_has_made_is_refused(database: Database, store: EventStore) -> None:
    await filled(database, store)
    last = await database.read(chain.last_link)
    with pytest.raises(Conflict):
        await database.write(partial(chain.add, link=last))


async def test_the_follower_links_what_comes(database: Database, store: EventStore) -> None:
    events = long_history(60)

    async def all_linked() -> bool:
        return await database.read(chain.unlinked) == 0

    async with running(link_forever(database, 0.01)):
        for start in range(0, len(events), 25):
            await record(store, events[start : start + 25])
        await until(all_linked)
    verified = await verify(database)
    assert (verified.events, verified.difference) == (len(events), None)


async def test_text_where_bytes_belong_is_no_crash(database: Database, store: EventStore) -> None:
    if database.dialect == "postgres":
        pytest.skip("PostgreSQL keeps types apart by itself")
    await filled(database, store)
    await tamper(database, "UPDATE stored_events SET originator_version = 'x', topic = 7 WHERE {position} = 3")
    assert await found(database) == ("changed", 3, 1)
    await tamper(database, "UPDATE log_chain SET marks = 'x', until = 'y' WHERE number = 1")
    assert await found(database) == ("link", None, 1)
