"""Call-backs of clients who are merged: whichever of them is reached, the client was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from services.projector import steps as projector_steps
from shared.contracts.inbound import Address
from shared.database.protocol import Database
from shared.event_store.merging import merge, unmerge
from shared.event_store.store import EventStore
from tests.examples import OLGA, about, call_report, inbound
from tests.services.projector.test_steps import PHONE, later, states, take

ABOUT = about(OLGA)
ANNA = later(inbound())


async def customer(store: EventStore, item: Any) -> UUID:
    events = await take(store, item)
    return next(event.customer_id for event in events if hasattr(event, "customer_id"))


async def one_person(store: EventStore, *, into_the_caller: bool = False) -> tuple[UUID, UUID]:
    """Return the caller and Anna, of whom one is merged into the other."""
    anna = await customer(store, inbound(occurred_at=ANNA.occurred_at.replace(year=2020)))
    caller = await customer(store, replace(call_report("ringing"), thread_key=PHONE))
    one, other = (anna, caller) if into_the_caller else (caller, anna)
    await store.record(lambda session, tx: merge(session, tx, one, other, ABOUT))
    return caller, anna


@pytest.mark.parametrize("at_once", [1, 1000])
@pytest.mark.parametrize("into_the_caller", [True, False])
async def test_it_ends_when_another_member_of_the_group_writes(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch, into_the_caller: bool, at_once: int
) -> None:
    monkeypatch.setattr(projector_steps, "AT_ONCE", at_once)
    await one_person(store, into_the_caller=into_the_caller)
    await take(store, call_report("missed"))
    await take(store, ANNA)
    assert await states(database) == ["done"]


async def test_in_one_batch_it_is_planned_and_ended_by_another_member(database: Database, store: EventStore) -> None:
    await one_person(store)
    await take(store, call_report("missed"), ANNA)
    assert await states(database) == ["done"]


async def test_a_missed_call_told_late_is_not_called_back_if_another_member_wrote_meanwhile(
    database: Database, store: EventStore
) -> None:
    await one_person(store)
    await take(store, ANNA)
    await take(store, call_report("missed"))
    assert await states(database) == []


async def test_after_un_merging_each_is_reached_for_themselves(database: Database, store: EventStore) -> None:
    caller, anna = await one_person(store)
    await store.record(lambda session, tx: unmerge(session, tx, anna, caller, ABOUT))
    await take(store, call_report("missed"))
    await take(store, ANNA)
    assert await states(database) == ["planned"]
    await take(store, later(replace(inbound(), sender=Address("phone", PHONE))))
    assert await states(database) == ["done"]
