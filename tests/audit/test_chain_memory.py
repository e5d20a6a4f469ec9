"""What was cut off, or rewritten together with its chain, since the log was compared last is found without a note."""

from __future__ import annotations

from functools import partial

import pytest

from services.projector import chain as follower
from shared.audit.chain_memory import verify_and_remember
from shared.database.protocol import Database, Transaction
from shared.event_store.chain_verify import Head
from shared.event_store.store import EventStore
from shared.registry.verifications import Verifications
from tests.event_store.test_chain import filled, linked, position, tamper
from tests.read_models.test_read_models import long_history, record


@pytest.fixture(autouse=True)
def small_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "EVENTS", 20)


async def found(database: Database) -> tuple[str, int | None] | None:
    difference = (await verify_and_remember(database, "o")).difference
    return (difference.what, difference.position) if difference else None


async def head_of(database: Database) -> str:
    last = await Verifications(database).last()
    assert last is not None
    return last.head


def cut(tx: Transaction, until: int) -> None:
    tx.run(f"DELETE FROM stored_events WHERE {position(tx)} > ?", (until,))
    tx.run("DELETE FROM log_chain WHERE until > ?", (until,))


@pytest.mark.parametrize("until", [40, 0])
async def test_a_log_cut_off_with_its_chain_is_found_by_the_comparison_before(
    database: Database, store: EventStore, until: int
) -> None:
    count = await filled(database, store)
    assert await found(database) is None
    await database.write(partial(cut, until=until))
    assert await found(database) == ("head", count)
    assert await found(database) == ("head", count)  # and tomorrow too
    await linked(database)
    assert await found(database) == ("head", count)


async def test_a_log_rewritten_with_its_chain_is_found_by_the_comparison_before(
    database: Database, store: EventStore
) -> None:
    count = await filled(database, store)
    assert await found(database) is None
    await tamper(database, "UPDATE stored_events SET state = state || state WHERE {position} = 47")
    await database.write(lambda tx: tx.run("DELETE FROM log_chain"))
    await linked(database)
    assert await found(database) == ("head", count)


async def test_what_was_recorded_since_and_an_older_difference_do_not_matter(
    database: Database, store: EventStore
) -> None:
    events = long_history(120)
    await record(store, events[:60])
    await linked(database)
    assert await found(database) is None
    await record(store, events[60:])
    await linked(database)
    assert await found(database) is None
    whole = await head_of(database)
    sql = "UPDATE stored_events SET topic = '{}' WHERE {{position}} = 47"
    ((topic,),) = await database.read(lambda tx: tx.rows(f"SELECT topic FROM stored_events WHERE {position(tx)} = 47"))
    await tamper(database, sql.format("Other"))
    assert await found(database) == ("changed", 47)
    assert await head_of(database) == whole
    await tamper(database, sql.format(topic))
    assert await found(database) is None


async def test_a_wrong_note_does_not_make_a_rewritten_log_the_one_that_is_remembered(
    database: Database, store: EventStore
) -> None:
    events = long_history(120)
    await record(store, events[:60])
    await linked(database)
    assert await found(database) is None
    whole = await head_of(database)
    count = int(whole.partition(":")[0])
    await tamper(database, "UPDATE stored_events SET state = state || state WHERE {position} = 47")
    await database.write(lambda tx: tx.run("DELETE FROM log_chain"))
    await record(store, events[60:])
    await linked(database)
    noted = Head(count + 1000, b"\1" * 32)
    difference = (await verify_and_remember(database, "o", noted)).difference
    assert difference is not None
    assert await head_of(database) == whole
    assert await found(database) == ("head", count)
