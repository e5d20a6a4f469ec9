"""Which events of the log are told: filters, times, pages; the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from services.inbox_api.selection import Page, Selection, bounds, page
from services.projector import inbound
from shared.database.protocol import Database, Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from tests.examples import OLGA, Clock
from tests.examples import inbound as item
from tests.read_models.contents import show

FIVE = [item(str(number), sender=f"client{number % 2}@example.com") for number in range(5)]


async def record(database: Database, clock: Clock | None = None) -> EventStore:
    """Five messages of two clients, an hour apart; the read models are told what the tests show them."""
    clock = clock or Clock()
    store = EventStore(database, clock)
    for message in FIVE:

        def receive(session: Session, tx: Transaction, message: object = message) -> None:
            inbound.receive(session, tx, [message])  # type: ignore[list-item]

        await store.record(receive)
        clock.forward(3600)
    return store


async def all_pages(database: Database, wanted: Selection, limit: int) -> list[Page]:
    pages = [await database.read(lambda tx: page(tx, wanted, 0, limit))]
    while pages[-1].more:
        pages.append(await database.read(lambda tx: page(tx, wanted, pages[-1].until, limit)))
    return pages


def texts(pages: list[Page]) -> list[str]:
    events = [recorded.event for one in pages for recorded in one.events]
    return [event.text for event in events if isinstance(event, e.MessageReceived)]


async def test_pages_of_some_types_follow_each_other_without_a_gap(database: Database, store: EventStore) -> None:
    await record(database)
    for limit in (1, 2, 3, 100):
        pages = await all_pages(database, Selection(("MessageReceived",)), limit)
        assert texts(pages) == ["0", "1", "2", "3", "4"]
        assert [len(one.events) for one in pages if one.events] == [limit] * (5 // limit) + [5 % limit] * (
            5 % limit > 0
        )


async def test_rare_events_are_looked_for_a_window_at_a_time(
    database: Database, store: EventStore, monkeypatch: object
) -> None:
    await record(database)
    monkeypatch.setattr("services.inbox_api.selection.WINDOW", 4)  # type: ignore[attr-defined]
    pages = await all_pages(database, Selection(("NoteAdded",)), 10)
    assert [(one.events, one.until, one.more) for one in pages] == [
        ([], 4, True), ([], 8, True), ([], 12, False)
    ]  # fmt: skip


async def test_a_customer_has_what_is_on_the_timeline_and_nothing_of_others(
    database: Database, store: EventStore
) -> None:
    await record(database)
    await show(database)
    everything = (await database.read(lambda tx: page(tx, Selection(), 0, 100))).events
    registered = [r.event for r in everything if isinstance(r.event, e.CustomerRegistered)]
    for number, customer in enumerate(registered):
        wanted = Selection(customer_id=customer.customer_id)
        of_customer = [r for r in everything if getattr(r.event, "customer_id", None) == customer.customer_id]
        for limit in (1, 3, 100):
            pages = await all_pages(database, wanted, limit)
            assert [recorded for one in pages for recorded in one.events] == of_customer
        assert texts(await all_pages(database, wanted, 2)) == [str(n) for n in range(5) if n % 2 == number]
    assert texts(await all_pages(database, Selection(("MessageReceived",), registered[0].customer_id), 2)) == [
        "0", "2", "4"
    ]  # fmt: skip


async def test_of_a_customer_nothing_is_passed_over_that_the_read_models_do_not_show_yet(
    database: Database, store: EventStore
) -> None:
    store = await record(database)
    await show(database)
    (first,) = [
        r.event for r in (await database.read(lambda tx: page(tx, Selection(), 0, 1))).events
    ]  # fmt: skip
    assert isinstance(first, e.CustomerRegistered)
    wanted = Selection(customer_id=first.customer_id)
    before = (await all_pages(database, wanted, 100))[-1]
    later = item("later", sender="client0@example.com", subject="Another")
    await store.record(lambda session, tx: inbound.receive(session, tx, [later]))
    hidden = await database.read(lambda tx: page(tx, wanted, before.until, 100))
    assert (hidden.events, hidden.until, hidden.more) == ([], before.until, False)
    await show(database)
    assert texts([await database.read(lambda tx: page(tx, wanted, before.until, 100))]) == ["later"]


async def test_times_of_recording_bound_what_is_read(database: Database, store: EventStore) -> None:
    clock = Clock()
    began = clock.at
    await record(database, clock)
    between = Selection(since=began + timedelta(hours=1), until=began + timedelta(hours=3))
    first, until = await database.read(lambda tx: bounds(tx, between))
    assert texts([await database.read(lambda tx: page(tx, between, first, 100, until))]) == ["1", "2"]
    everything = await database.read(lambda tx: page(tx, Selection(), 0, 100))
    assert 0 < until < everything.until
    assert await database.read(lambda tx: bounds(tx, Selection(since=began + timedelta(days=9)))) == (
        everything.until, everything.until
    )  # fmt: skip


async def test_all_of_history_lies_between_the_first_and_the_last_moment_there_is(
    database: Database, store: EventStore
) -> None:
    await record(database)
    everything = await database.read(lambda tx: bounds(tx, Selection()))
    ever = Selection(since=datetime.min.replace(tzinfo=UTC), until=datetime.max.replace(tzinfo=UTC))
    assert await database.read(lambda tx: bounds(tx, ever)) == everything


async def test_an_empty_log_has_no_page_and_no_bounds(database: Database, store: EventStore) -> None:
    wanted = Selection(since=Clock().at, until=Clock().at)
    assert await database.read(lambda tx: bounds(tx, wanted)) == (0, 0)
    for selection in (Selection(), Selection(("NoteAdded",)), Selection(customer_id=uuid4())):
        assert await database.read(partial(page, wanted=selection, after=0, limit=10)) == Page([], 0, False)


async def test_a_position_behind_the_end_of_the_log_stays_what_it_is(database: Database, store: EventStore) -> None:
    assert await database.read(lambda tx: page(tx, Selection(), 7, 10)) == Page([], 7, False)


async def test_notes_are_found_by_their_type(database: Database, store: EventStore) -> None:
    store = await record(database)
    opened = [
        r.event for r in (await database.read(lambda tx: page(tx, Selection(("ConversationOpened",)), 0, 1))).events
    ]
    assert isinstance(opened[0], e.ConversationOpened)
    await store.handle(opened[0].conversation_id, c.AddNote(uuid4(), "ask the boss"), OLGA)
    (found,) = (await database.read(lambda tx: page(tx, Selection(("NoteAdded",)), 0, 10))).events
    assert isinstance(found.event, e.NoteAdded)
    assert (found.event.text, found.actor) == ("ask the boss", OLGA)
