"""Two who change one field of a card at the same moment, in two processes: one of them is told."""

from __future__ import annotations

import asyncio
from uuid import UUID

from services.projector import inbound as intake
from shared.database.protocol import Database, Transaction
from shared.domain import card as cards
from shared.domain import events as e
from shared.event_store.cache import StateCache
from shared.event_store.cards import card_of, change_card, define_field
from shared.event_store.log import head
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from tests.examples import OLGA, about, inbound

ABOUT = about(OLGA)


async def change(store: EventStore, customer_id: UUID, *wanted: cards.Wanted) -> str:
    def decide(session: Session, tx: Transaction) -> None:
        change_card(session, tx, customer_id, wanted, {}, ABOUT)

    try:
        await store.record(decide)
    except cards.Stale:
        return "told"
    return "saved"


async def a_customer(store: EventStore) -> UUID:
    handled = await store.record(lambda session, tx: intake.receive(session, tx, [inbound()]))
    return next(h.event.customer_id for h in handled.happenings if isinstance(h.event, e.CustomerRegistered))


async def test_of_two_who_change_one_field_at_once_one_is_told(database: Database, store: EventStore) -> None:
    other, id_ = EventStore(database), await a_customer(store)
    outcomes = await asyncio.gather(
        *(change(each, id_, cards.Wanted("segment", text, None)) for each, text in ((store, "A"), (other, "B")))
    )
    assert sorted(outcomes) == ["saved", "told"]


async def test_two_who_change_two_fields_at_once_are_both_heard(database: Database, store: EventStore) -> None:
    other, id_ = EventStore(database), await a_customer(store)
    wanted = ((store, cards.Wanted("segment", "A", None)), (other, cards.Wanted("notes", "B", None)))
    assert await asyncio.gather(*(change(each, id_, field) for each, field in wanted)) == ["saved", "saved"]
    card = (await database.read(lambda tx: card_of(Session(tx, StateCache(1)), tx, id_))).card
    assert (card.values("segment"), card.values("notes")) == (("A",), ("B",))


async def test_two_who_define_one_field_at_once_define_it_once(database: Database, store: EventStore) -> None:
    wanted = e.OwnFieldDefined("size", "Size", "text")
    stores = (store, EventStore(database))
    await asyncio.gather(
        *(each.record(lambda session, tx: define_field(session, tx, wanted, ABOUT)) for each in stores)
    )
    assert await database.read(head) == 1
