"""Merges in the store, on both databases: two processes at once, the routing index, the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from uuid import UUID

from services.projector import inbound as intake
from services.projector.rebuild import Wanted, rebuild
from shared.contracts.inbound import Address
from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.domain.errors import Refused
from shared.event_store import merging
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from shared.read_models import customers, suggestions, timeline
from shared.registry.business import set_plus_addresses
from tests.event_store.index import derived, standing
from tests.examples import OLGA, about, call_report, inbound
from tests.read_models.contents import show

NAMES = ("anna", "ben", "cleo", "dora")


async def people(store: EventStore) -> list[UUID]:
    items = [inbound(sender=f"{name}@x", name=name) for name in NAMES]
    handled = await store.record(lambda session, tx: intake.receive(session, tx, items))
    return [h.event.customer_id for h in handled.happenings if isinstance(h.event, e.CustomerRegistered)]


def merging_of(one: UUID, other: UUID) -> Callable[[Session, Transaction], None]:
    return partial(merging.merge, customer_id=one, into_id=other, about=about(OLGA))


def unmerging_of(group: UUID, member: UUID) -> Callable[[Session, Transaction], None]:
    return partial(merging.unmerge, group_of=group, customer_id=member, about=about(OLGA))


async def refused(store: EventStore, decide: Callable[[Session, Transaction], None]) -> str:
    try:
        await store.record(decide)
    except Refused as error:
        return error.code
    return ""


async def shown(database: Database, customer_id: UUID) -> list[str]:
    await show(database)
    found = await database.read(partial(customers.customer, customer_id=customer_id))
    assert found is not None
    return [found["name"], *(member["name"] for member in found["members"])]


async def test_two_processes_that_merge_in_a_ring_are_not_both_heard(
    database: Database, store: EventStore, any_url: str
) -> None:
    """Through members, so that none of the streams of those named is the same."""
    anna, ben, cleo, dora = await people(store)
    await store.record(merging_of(ben, anna))
    await store.record(merging_of(dora, cleo))
    other = open_database(any_url) if database.dialect == "postgres" else database
    try:
        codes = await asyncio.gather(
            refused(store, merging_of(anna, dora)), refused(EventStore(other), merging_of(cleo, ben))
        )
    finally:
        if other is not database:
            await other.close()
    assert sorted(codes) == ["", "same_group"]
    assert sorted(await shown(database, anna)) == sorted(NAMES)
    assert await database.read(standing) == await database.read(derived)


async def test_groups_are_the_same_when_rebuilt_on_both_databases(database: Database, store: EventStore) -> None:
    anna, ben, cleo, dora = await people(store)
    phone = Address("phone", "+4915112345678")
    items = [call_report("missed"), inbound(sender="anna@x", identities=(phone,), kind="form")]
    await store.record(lambda session, tx: intake.receive(session, tx, items))
    for decide in (merging_of(cleo, ben), merging_of(ben, anna), merging_of(dora, cleo), unmerging_of(anna, cleo)):
        await store.record(decide)
    assert await shown(database, anna) == ["anna", "ben"]
    assert await shown(database, dora) == ["cleo", "dora"]
    entries = await database.read(partial(timeline.of_customer, customer_id=ben, page=timeline.Page()))
    assert [entry["author"]["address"] for entry in entries if entry["direction"]] == ["anna@x", "ben@x", "anna@x"]
    (suggestion,) = await database.read(partial(suggestions.page, before=None, limit=5))
    assert suggestion["other"]["address"] == phone.address
    assert all(table.equal for table in await rebuild(database, Wanted(switch=False)))
    assert await database.read(standing) == await database.read(derived)


async def test_an_unmerge_of_somebody_else_meanwhile_is_seen(store: EventStore) -> None:
    anna, ben, *_ = await people(store)
    await store.record(merging_of(ben, anna))
    codes = await asyncio.gather(*(refused(store, unmerging_of(anna, ben)) for _ in range(2)))
    assert sorted(codes) == ["", "not_merged"]


async def test_whoever_was_ever_together_is_found_from_each(database: Database, store: EventStore) -> None:
    anna, ben, cleo, dora = await people(store)
    for decide in (merging_of(cleo, ben), merging_of(ben, anna), unmerging_of(anna, cleo), merging_of(anna, dora)):
        await store.record(decide)
    for id_ in (anna, ben, cleo, dora):
        found = await database.read(lambda tx, id_=id_: merging.ever_together(tx, id_))
        assert (found[0], set(found)) == (id_, {anna, ben, cleo, dora})


# --- plus-addresses ---------------------------------------------------------------------------------------


async def customers_of(store: EventStore, *senders: str) -> list[UUID]:
    found = []
    for sender in senders:
        item = inbound(sender=sender)
        handled = await store.record(partial(_receive, item))
        found += [h.event.customer_id for h in handled.happenings if isinstance(h.event, e.MessageReceived)]
    return found


def _receive(item: intake.Inbound, session: Session, tx: Transaction) -> None:
    intake.receive(session, tx, [item])


async def test_plus_addresses_are_others_unless_the_business_says_otherwise(
    database: Database, store: EventStore
) -> None:
    (apart,) = await customers_of(store, "eve+a@x")
    await database.write(partial(set_plus_addresses, value="same"))
    same = await customers_of(store, "eve+b@x", "eve@x", "eve+c@x", "eve+b@x")
    assert len(set(same)) == 1
    assert await customers_of(store, "eve+a@x") == [apart]
    await database.write(partial(set_plus_addresses, value="apart"))
    assert await customers_of(store, "eve+c@x", "eve+d@x") != same[:2]
    assert await customers_of(store, "eve+c@x") == same[:1]
    assert await database.read(standing) == await database.read(derived)


async def test_an_address_stored_in_an_older_form_is_still_its_owners(store: EventStore) -> None:
    (older,) = await customers_of(store, "anna@xn--80a1acny.xn--p1ai")
    assert await customers_of(store, "anna@почта.рф") == [older]
