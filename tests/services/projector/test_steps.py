"""Call-backs: planned by a missed call, ended by whatever reaches the client; calls without an end are ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.projector import steps as steps_module
from services.projector.calls import end_overdue
from shared.clock import now
from shared.contracts.inbound import Address, InboundMessage
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain.call import overdue
from shared.event_store import merging
from shared.event_store.mapper import About
from shared.event_store.store import EventStore
from shared.read_models import steps
from tests.event_store.index import derived, standing
from tests.examples import AT, OLGA, call_report, inbound
from tests.read_models.contents import show
from tests.services.projector.running import take
from tests.stores import create_all_tables

PHONE = "+4915112345678"


@pytest_asyncio.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    database = open_database(sqlite_url)
    yield database
    assert await database.read(standing) == await database.read(derived)
    await database.close()


@pytest_asyncio.fixture
async def store(database: Database) -> EventStore:
    return create_all_tables(database)


async def states(database: Database) -> list[str]:
    await show(database)
    found = await database.read(lambda tx: steps.page(tx, steps.Wanted(None), None, 100))
    return [step["state"] for step in found]


def later(item: InboundMessage, seconds: int = 60) -> InboundMessage:
    return replace(item, occurred_at=AT + timedelta(seconds=seconds))


def ours(state: str, **facts: Any) -> InboundMessage:
    item = later(call_report(state, "our-call", **facts))
    assert item.call is not None
    return replace(item, direction="outbound", call=replace(item.call, direction="outbound"))


async def test_a_missed_call_plans_one_call_back_for_who_is_responsible(database: Database, store: EventStore) -> None:
    *_, message = await take(store, replace(call_report("ringing"), thread_key=PHONE))
    operator = UUID(OLGA.id)
    await store.handle(message.conversation_id, c.Assign(operator, "Olga"), OLGA)
    _, planned = await take(store, replace(call_report("missed"), thread_key=PHONE))
    assert (planned.what, planned.operator_id, planned.due_at) == ("call_back", operator, AT + timedelta(minutes=15))
    assert (planned.customer_id, planned.conversation_id) == (message.customer_id, message.conversation_id)
    await take(store, call_report("missed", "again"), call_report("missed"))
    assert await states(database) == ["planned"]


@pytest.mark.parametrize(
    ("item", "ends"),
    [
        (later(inbound(sender=PHONE)), False),
        (later(replace(inbound(), sender=Address("phone", PHONE))), True),
        (later(replace(inbound(nature="automatic"), sender=Address("phone", PHONE))), False),
        (later(replace(inbound(), sender=Address("phone", PHONE)), -60), False),
        (later(call_report("ringing", "next")), False),
        (later(call_report("answered", "next")), True),
        (call_report("finished", talking_seconds=9), True),
        (ours("ringing"), False),
        (ours("answered"), True),
        (ours("finished", talking_seconds=0), False),
        (ours("finished", talking_seconds=30), True),
    ],
)
async def test_it_ends_once_somebody_was_reached(
    database: Database, store: EventStore, item: InboundMessage, ends: bool
) -> None:
    await take(store, call_report("missed"))
    await take(store, item)
    assert await states(database) == ["done" if ends else "planned"]


@pytest.mark.parametrize(("arrived", "ends"), [(60, True), (0, True), (-60, False)])
async def test_words_that_arrived_after_the_call_end_it_whatever_the_clients_clock_says(
    database: Database, store: EventStore, arrived: int, ends: bool
) -> None:
    await take(store, call_report("missed"))
    slow = later(replace(inbound(), sender=Address("phone", PHONE)), -3600)
    await take(store, replace(slow, arrived_at=AT + timedelta(seconds=arrived)))
    assert await states(database) == ["done" if ends else "planned"]


async def merge(store: EventStore, customer_id: UUID, into_id: UUID, *, back: bool = False) -> None:
    about = About(AT, OLGA)
    if back:
        await store.record(lambda session, tx: merging.unmerge(session, tx, into_id, customer_id, about))
    else:
        await store.record(lambda session, tx: merging.merge(session, tx, customer_id, into_id, about))


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("into_the_caller", [False, True])
async def test_it_ends_once_somebody_was_reached_who_is_one_with_the_caller(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch, into_the_caller: bool, many: bool
) -> None:
    monkeypatch.setattr(steps_module, "AT_ONCE", 1 if many else 1000)
    caller = (await take(store, call_report("missed")))[0].customer_id
    writer = (await take(store, inbound()))[0].customer_id
    third = (await take(store, inbound(sender="third@example.com")))[0].customer_id
    await merge(store, *((writer, caller) if into_the_caller else (caller, writer)))
    await take(store, later(inbound(sender="third@example.com")))
    assert await states(database) == ["planned"]
    await merge(store, third, writer)
    await take(store, later(inbound(sender="third@example.com")))
    assert await states(database) == ["done"]


async def test_who_is_no_longer_one_with_the_caller_ends_nothing(database: Database, store: EventStore) -> None:
    caller = (await take(store, call_report("missed")))[0].customer_id
    writer = (await take(store, inbound()))[0].customer_id
    await merge(store, writer, caller)
    await merge(store, writer, caller, back=True)
    await take(store, later(inbound()))
    assert await states(database) == ["planned"]


async def test_a_missed_call_is_not_called_back_if_who_is_one_with_the_caller_was_reached_meanwhile(
    database: Database, store: EventStore
) -> None:
    caller = (await take(store, call_report("ringing")))[0].customer_id
    writer = (await take(store, inbound()))[0].customer_id
    await merge(store, caller, writer)
    await take(store, later(inbound()))
    await take(store, call_report("missed"))
    assert await states(database) == []


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("item", "planned"),
    [
        (later(inbound(sender=PHONE)), True),
        (later(replace(inbound(), sender=Address("phone", PHONE))), False),
        (later(replace(inbound(nature="automatic"), sender=Address("phone", PHONE))), True),
        (later(replace(inbound(), sender=Address("phone", PHONE)), -60), True),
        (later(call_report("ringing", "next")), True),
        (later(call_report("answered", "next")), False),
        (ours("finished", talking_seconds=30), False),
    ],
)
async def test_a_missed_call_that_is_told_late_is_not_called_back_if_the_client_was_reached_meanwhile(
    database: Database, store: EventStore, item: InboundMessage, planned: bool, at_once: bool
) -> None:
    if at_once:
        await take(store, item, call_report("missed"))
    else:
        await take(store, item)
        await take(store, call_report("missed"))
    assert await states(database) == (["planned"] if planned else [])


async def test_a_call_ended_by_the_clock_is_not_called_back_if_the_client_was_reached_since_it_rang(
    database: Database, store: EventStore
) -> None:
    words = later(replace(inbound(), sender=Address("phone", PHONE)))
    await take(store, call_report("ringing", started_at=AT), words)
    await show(database)
    assert await end_overdue(database, store, overdue, now() + timedelta(minutes=12)) == 1
    assert await states(database) == []


async def test_in_one_batch_it_is_planned_and_ends(database: Database, store: EventStore) -> None:
    await take(store, call_report("missed"), ours("answered"))
    assert await states(database) == ["done"]


async def test_a_call_whose_end_is_never_reported_is_ended_by_the_clock(database: Database, store: EventStore) -> None:
    other = call_report("answered", "taken", phone="+4930999")
    await take(store, call_report("ringing"), other, call_report("finished", "over"))
    await show(database)
    heard = now()
    assert await end_overdue(database, store, overdue, heard + timedelta(minutes=9)) == 0
    assert await end_overdue(database, store, overdue, heard + timedelta(minutes=11)) == 1
    assert await end_overdue(database, store, overdue, heard + timedelta(hours=4, minutes=1)) == 1
    assert await states(database) == ["planned"]
    assert await end_overdue(database, store, overdue, heard + timedelta(days=1)) == 0
    assert len(await take(store, call_report("finished", talking_seconds=60))) == 2
    assert await states(database) == ["done"]


@pytest.mark.parametrize("off", [-timedelta(hours=5), timedelta(hours=3), timedelta(days=20_000)], ids=str)
async def test_a_clock_that_is_hours_off_neither_ends_a_call_that_rings_nor_keeps_it_for_ever(
    database: Database, store: EventStore, off: timedelta
) -> None:
    heard = now()
    told = replace(call_report("ringing", started_at=heard + off), occurred_at=heard + off)
    await take(store, told)
    await show(database)
    assert await end_overdue(database, store, overdue, heard + timedelta(minutes=9)) == 0
    assert await end_overdue(database, store, overdue, heard + timedelta(minutes=11)) == 1
    assert await states(database) == ["planned"]


async def test_a_clock_that_is_ahead_plans_no_call_back_to_a_client_who_was_reached_since(
    database: Database, store: EventStore
) -> None:
    heard, ahead = now(), now() + timedelta(hours=3)
    await take(store, replace(call_report("ringing", started_at=ahead), occurred_at=ahead))
    await take(store, replace(ours("finished", talking_seconds=30), occurred_at=heard + timedelta(minutes=3)))
    await show(database)
    assert await end_overdue(database, store, overdue, heard + timedelta(minutes=12)) == 1
    assert await states(database) == []


async def test_a_missed_call_told_with_a_time_to_come_is_not_called_back_if_the_client_was_reached_since(
    database: Database, store: EventStore
) -> None:
    reached = ours("finished", talking_seconds=30)
    await take(store, reached, call_report("missed", ended_at=AT + timedelta(hours=3)))
    assert await states(database) == []


async def test_who_withheld_the_number_is_not_to_be_called_back_until_it_is_told(
    database: Database, store: EventStore
) -> None:
    known_as = ("call:1",)
    withheld = replace(call_report("missed"), sender=Address("telephony", "call-1"), known_as=known_as)
    assert withheld.call is not None
    await take(store, replace(withheld, call=replace(withheld.call, from_="")))
    await take(store, call_report("ringing", "other", phone=""))
    await show(database)
    assert await end_overdue(database, store, overdue, now() + timedelta(minutes=11)) == 1
    assert await states(database) == []
    await take(store, replace(call_report("ringing"), refers_to=known_as, proves=known_as))
    assert await states(database) == ["planned"]
