"""Imports and customers who are merged: a row about any of them is about the one person they are."""

from __future__ import annotations

from uuid import UUID, uuid4

from services.inbox_api import importing
from services.projector import inbound as intake
from shared.database.protocol import Database
from shared.event_store.merging import merge, unmerge
from shared.event_store.store import EventStore
from shared.read_models import cards
from tests.event_store.test_importing import ABOUT, owner, plan_of, take_back, take_in
from tests.examples import inbound
from tests.read_models.contents import show

HEADINGS = "email,phone,organisation\n"


async def two(database: Database, store: EventStore) -> tuple[UUID, UUID]:
    """Return Ben, with an organisation, and Anna, into whom he is merged."""
    for name in ("anna", "ben"):
        item = inbound(sender=f"{name}@example.com")
        await store.record(lambda session, tx, item=item: intake.receive(session, tx, [item]))
    await take_in(database, store, HEADINGS + "ben@example.com,,Ромашка\n", uuid4())
    ben, anna = await owner(database, "ben@example.com"), await owner(database, "anna@example.com")
    await store.record(lambda session, tx: merge(session, tx, ben, anna, ABOUT))
    return ben, anna


async def organisation(database: Database, customer_id: UUID) -> object:
    await show(database)
    card = await database.read(lambda tx: cards.card(tx, customer_id, {}))
    return card and card["organisation"]


async def judged(database: Database, text: str) -> list[tuple[str, UUID | None, int]]:
    steps = importing.dry_run(database, await plan_of(database, HEADINGS + text))
    return [(each.state, each.customer_id, len(each.changes)) async for step in steps for each in step.judged]


async def test_a_row_with_addresses_of_two_members_is_of_one_customer(database: Database, store: EventStore) -> None:
    _, anna = await two(database, store)
    assert await judged(database, '"ben@example.com,anna@example.com",,Ромашка\n') == [("known", anna, 0)]


async def test_two_rows_about_two_members_are_about_the_same_customer(database: Database, store: EventStore) -> None:
    _, anna = await two(database, store)
    rows = await judged(database, "ben@example.com,,Лютик\nanna@example.com,,Лютик\n")
    assert rows == [("known", anna, 1), ("conflict", None, 0)]


async def test_what_a_row_changes_is_the_groups_and_undone_it_is_as_before(
    database: Database, store: EventStore
) -> None:
    ben, anna = await two(database, store)
    import_id = uuid4()
    await take_in(database, store, HEADINGS + "ben@example.com,,Лютик\n", import_id)
    assert await organisation(database, ben) == "Лютик"
    await take_back(database, store, import_id)
    assert await organisation(database, ben) == "Ромашка"
    await take_in(database, store, HEADINGS + "ben@example.com,,Лютик\n", uuid4())
    await store.record(lambda session, tx: unmerge(session, tx, anna, ben, ABOUT))
    assert [await organisation(database, each) for each in (ben, anna)] == ["Ромашка", "Лютик"]
