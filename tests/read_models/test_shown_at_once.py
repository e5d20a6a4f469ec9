"""On SQLite what is recorded is shown in the same transaction; where that cannot be, it is left to the follower."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.projector import inbound as rules
from services.projector.follow import follow
from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.domain.events import Recorded
from shared.event_store.log import head
from shared.event_store.routing import Wanted, look_up
from shared.event_store.store import EventStore
from shared.read_models import conversations, live, timeline
from tests.examples import inbound
from tests.stores import create_all_tables


async def write(store: EventStore, text: str) -> int:
    item = inbound(text, external_id=f"<{text}@example.com>")
    return (await store.record(lambda session, tx: rules.receive(session, tx, [item]))).position


def shown(tx: Transaction) -> tuple[int, int]:
    """Return how far the read models are, and how many messages stand in the conversations."""
    return live.position(tx), sum(body["messages_count"] for body in conversations.every_one(tx))


@pytest.fixture
def file(tmp_path: Path) -> Database:
    return open_database(f"sqlite:///{tmp_path / 'okno.db'}")


@pytest.mark.parametrize("lags", ["nothing", "an event", "a version"])
async def test_what_follows_on_what_is_shown_is_shown_at_once(file: Database, lags: str) -> None:
    unshown, store = create_all_tables(file), EventStore(file, shows=live.take_in_next)
    if lags == "an event":
        await write(unshown, "before")
    elif lags == "a version":
        await file.write(lambda tx: tx.run("UPDATE read_model_positions SET version = 0 WHERE name = 'timeline'"))
    last = await write(store, "first"), await write(store, "second")
    assert await file.read(shown) == ((last[1], 2) if lags == "nothing" else (0, 0))
    await file.close()


async def test_the_follower_takes_in_what_nobody_has_shown_and_nothing_twice(file: Database) -> None:
    unshown, store = create_all_tables(file), EventStore(file, shows=live.take_in_next)
    following = asyncio.create_task(follow(file, store))
    for number in range(20):
        await write(unshown if number % 5 == 0 else store, str(number))
    async with asyncio.timeout(20):
        while await file.read(shown) != (await file.read(head), 20):
            assert not following.done(), following
            await asyncio.sleep(0.02)
    following.cancel()
    with file.reading() as tx:
        assert len(timeline.of_customer(tx, _customer(tx), timeline.Page(100))) == 20
    await file.close()


async def test_what_a_read_model_fails_at_is_recorded_and_left_to_the_follower(
    file: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def fail_late(tx: Transaction, events: Sequence[Recorded]) -> None:
        live.take_in_next(tx, events)
        if "broken" in repr(events):
            raise ZeroDivisionError("of a read model")

    create_all_tables(file)
    store = EventStore(file, shows=fail_late)
    first = await write(store, "first")
    others: list[Any] = await asyncio.gather(*(write(store, text) for text in ("second", "broken", "third")))
    assert await file.read(head) == max(others)
    position, messages = await file.read(shown)
    assert first <= position < max(others)
    assert messages == sum(each <= position for each in (first, *others))
    assert "recorded_unshown" in caplog.text
    events = await store.after(position, 100)
    await file.write(partial(live.take_in, events=events))
    assert await file.read(shown) == (max(others), 4)
    await file.close()


@pytest.mark.parametrize("missing", ["timeline", "conversations"])
async def test_what_a_lost_table_is_to_show_is_recorded(file: Database, missing: str) -> None:
    store = (create_all_tables(file), EventStore(file, shows=live.take_in_next))[1]
    await file.write(lambda tx: tx.script(f"DROP TABLE {missing}"))
    position = await write(store, "first")
    assert await file.read(lambda tx: (head(tx), live.position(tx))) == (position, 0)
    await file.close()


async def test_what_is_too_much_to_be_shown_at_once_is_left_to_the_follower(file: Database) -> None:
    store = (create_all_tables(file), EventStore(file, shows=live.take_in_next))[1]
    items = [inbound("many", external_id=f"<{number}@example.com>") for number in range(live.MOST_AT_ONCE)]
    await store.record(lambda session, tx: rules.receive(session, tx, items))
    assert await file.read(shown) == (0, 0)
    await file.close()


def _customer(tx: Transaction) -> Any:
    return next(iter(look_up(tx, Wanted((), [("email", "anna@example.com")], (), ())).addresses.values()))
