"""Whether a client was reached since, asked of a long history on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from services.projector import inbound as intake
from services.projector.reached import PAGE, was_reached
from shared.clock import now
from shared.contracts.inbound import Address
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store.cache import StateCache
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from tests.examples import AT, inbound

PHONE = Address("phone", "+4915112345678")


async def test_of_a_long_history_what_was_recorded_since_is_read(database: Database, store: EventStore) -> None:
    wrote = replace(inbound(), sender=PHONE)
    more = [replace(inbound(nature="automatic"), sender=PHONE) for _ in range(2 * PAGE + 1)]
    others = [inbound("Hello", "anna@example.com", occurred_at=AT + timedelta(hours=1))]
    contracts = [wrote, *more, *others]
    handled = await store.record(lambda session, tx: intake.receive(session, tx, contracts))
    said = [h.event for h in handled.happenings if isinstance(h.event, e.MessageReceived)]
    customer_id = said[0].customer_id

    def asked(tx: Transaction) -> list[bool]:
        session = Session(tx, StateCache())
        return [was_reached(session, tx, customer_id, AT + timedelta(seconds=after)) for after in (-1, 0)]

    assert await database.read(asked) == [True, False]


async def test_a_clock_that_is_ahead_makes_no_call_back_superfluous(database: Database, store: EventStore) -> None:
    ahead = inbound(occurred_at=now() + timedelta(hours=1))
    handled = await store.record(lambda session, tx: intake.receive(session, tx, [ahead]))
    (message,) = [h.event for h in handled.happenings if isinstance(h.event, e.MessageReceived)]

    def asked(tx: Transaction) -> list[bool]:
        session = Session(tx, StateCache())
        return [was_reached(session, tx, message.customer_id, now() + timedelta(seconds=after)) for after in (-60, 60)]

    assert await database.read(asked) == [True, False]
