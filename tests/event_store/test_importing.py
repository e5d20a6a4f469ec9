"""Imports against both databases: cut off and gone on with, undone meanwhile, raced by the projector and each other."""

from __future__ import annotations

import asyncio
import io
from functools import partial
from uuid import UUID, uuid4

import pytest

from services.inbox_api import exporting, importing
from services.projector import inbound as intake
from services.projector.rebuild import Wanted, rebuild
from shared.database.protocol import Database
from shared.domain import card as cards
from shared.domain import events as e
from shared.domain.errors import NoSuchThing, Refused
from shared.event_store.importing import start_undo
from shared.event_store.log import read_log
from shared.event_store.log_streams import read_streams
from shared.event_store.routing import customer_of
from shared.event_store.store import EventStore
from shared.event_store.traces import read_traces
from shared.read_models import customers, imports
from tests.examples import OLGA, about, inbound
from tests.read_models.contents import show

ABOUT = about(OLGA)


def file_of(rows: int, tag: str = "a") -> str:
    return "name,email,tags\n" + "".join(f"Клиент {n},client{n}@example.com,{tag}\n" for n in range(rows))


async def plan_of(database: Database, text: str) -> importing.Plan:
    return await importing.plan(database, importing.Wanted(io.BytesIO(text.encode()), "c.csv", (), {}))


async def take_in(
    database: Database, store: EventStore, text: str, import_id: UUID | None = None, stop_after: int = 10_000
) -> importing.Totals:
    """Import a file; `stop_after`: the process ends after that many batches."""
    totals: importing.Totals = {}
    steps = importing.run(store, await plan_of(database, text), import_id or uuid4(), ABOUT)
    async for step in steps:
        totals, stop_after = dict(step.totals), stop_after - 1
        if not stop_after:
            await steps.aclose()
            break
    return totals


async def take_back(database: Database, store: EventStore, import_id: UUID) -> importing.Undoing:
    done = importing.Undoing()
    async for step in importing.undo(store, database, import_id, ABOUT):
        done = step
    return done


async def events(database: Database) -> list[e.Recorded]:
    return await database.read(lambda tx: read_log(tx, 0, 100_000))


async def card_of(database: Database, customer_id: UUID) -> cards.Card:
    return cards.fold(r.event for r in await database.read(lambda tx: read_streams(tx, [customer_id])))


async def owner(database: Database, address: str) -> UUID:
    (found,) = await database.read(partial(customer_of, address=address))
    return found


async def test_an_import_that_was_cut_off_goes_on_where_it_stopped(database: Database, store: EventStore) -> None:
    import_id = uuid4()
    await take_in(database, store, file_of(250), import_id, stop_after=1)
    assert await take_in(database, store, file_of(250), import_id) == {
        "new": 150, "known": 0, "changed": 0, "conflict": 0, "wrong": 0
    }  # fmt: skip
    await show(database)
    found = await database.read(partial(imports.one, import_id=import_id))
    assert found is not None
    assert (found["state"], found["new"], found["row"]) == ("finished", 250, 251)
    assert len([r for r in await events(database) if isinstance(r.event, e.CustomerRegistered)]) == 250


async def test_undoing_half_an_import_lets_the_other_half_in_no_more(database: Database, store: EventStore) -> None:
    import_id, plan = uuid4(), await plan_of(database, file_of(250))
    steps = importing.run(store, plan, import_id, ABOUT)
    await anext(steps)
    await store.record(lambda session, tx: start_undo(session, tx, import_id, ABOUT))
    with pytest.raises(Refused, match="undone"):
        await anext(steps)
    done = await take_back(database, store, import_id)
    assert (done.retired, done.left) == (100, 0)
    await show(database)
    assert await database.read(partial(customers.page, before=None, limit=500)) == []


async def test_an_undoing_that_was_cut_off_is_gone_on_with(database: Database, store: EventStore) -> None:
    import_id = uuid4()
    await take_in(database, store, file_of(250), import_id)
    steps = importing.undo(store, database, import_id, ABOUT)
    await anext(steps)
    await steps.aclose()
    await take_back(database, store, import_id)
    before = len(await events(database))
    await take_back(database, store, import_id)
    assert len(await events(database)) == before
    await show(database)
    assert await database.read(partial(customers.page, before=None, limit=500)) == []
    assert all(rebuilt.equal for rebuilt in await rebuild(database, Wanted(switch=False)))


async def test_two_imports_of_one_file_at_once_make_each_customer_once(database: Database, store: EventStore) -> None:
    other = EventStore(database)
    totals = await asyncio.gather(take_in(database, store, file_of(300)), take_in(database, other, file_of(300, "b")))
    assert [sum(each[state] for each in totals) for state in ("new", "known")] == [300, 300]
    registered = [r.event.customer_id for r in await events(database) if isinstance(r.event, e.CustomerRegistered)]
    assert (len(registered), len(set(registered))) == (300, 300)


async def test_whoever_writes_while_an_import_runs_is_the_same_customer(database: Database, store: EventStore) -> None:
    async def write() -> None:
        for number in range(0, 300, 10):
            item = inbound(sender=f"client{number}@example.com")
            await store.record(lambda session, tx, item=item: intake.receive(session, tx, [item]))

    totals, _ = await asyncio.gather(take_in(database, store, file_of(300)), write())
    assert totals["new"] + totals["known"] == 300
    assert totals["conflict"] == 0
    await show(database)
    assert len(await database.read(partial(customers.page, before=None, limit=500))) == 300
    assert all(rebuilt.equal for rebuilt in await rebuild(database, Wanted(switch=False)))


async def test_a_row_with_addresses_of_two_customers_is_a_conflict(database: Database, store: EventStore) -> None:
    await store.record(lambda session, tx: intake.receive(session, tx, [inbound(), inbound(sender="b@example.com")]))
    totals = await take_in(database, store, "email,e-mail 2\nanna@example.com,b@example.com\n")
    assert totals == {"new": 0, "known": 0, "changed": 0, "conflict": 1, "wrong": 0}


async def test_a_known_customer_gets_no_address_from_an_import(database: Database, store: EventStore) -> None:
    await store.record(lambda session, tx: intake.receive(session, tx, [inbound()]))
    plan = await plan_of(database, "email,phone\nanna@example.com,+4915112345678\n")
    (step,) = [step async for step in importing.dry_run(database, plan)]
    assert [(judged.state, judged.not_added) for judged in step.judged] == [("known", ("+4915112345678",))]


async def test_an_undone_import_leaves_the_values_of_the_one_before(database: Database, store: EventStore) -> None:
    first, second = uuid4(), uuid4()
    await take_in(database, store, file_of(3, "a"), first)
    await take_in(database, store, file_of(3, "b"), second)
    id_ = await owner(database, "client0@example.com")
    assert (await take_back(database, store, second)).restored == 3
    assert (await card_of(database, id_)).values("tags") == ("a",)
    done = await take_back(database, store, first)
    assert (done.restored, done.retired, done.left) == (3, 3, 0)


async def test_undoing_an_import_leaves_what_a_later_one_wrote(database: Database, store: EventStore) -> None:
    first, second = uuid4(), uuid4()
    await take_in(database, store, file_of(3, "a"), first)
    await take_in(database, store, file_of(3, "b"), second)
    done = await take_back(database, store, first)
    assert (done.restored, done.retired, done.left) == (3, 0, 3)
    assert (await card_of(database, await owner(database, "client0@example.com"))).values("tags") == ("b",)


async def test_what_several_imports_wrote_is_gone_in_whichever_order_they_are_undone(
    database: Database, store: EventStore
) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    await take_in(database, store, file_of(2, "a"), first)
    await take_in(database, store, file_of(2, "b"), second)
    await take_in(database, store, "email,segment\nclient0@example.com,опт\n", third)
    client = await owner(database, "client0@example.com")
    kept = []
    for import_id in (first, second, third):
        await take_back(database, store, import_id)
        await show(database)
        card = await card_of(database, client)
        kept.append((card.values("name"), card.values("tags"), card.values("segment")))
        page = await database.read(partial(customers.page, before=None, limit=500))
        kept.append(tuple(each["identities"][0]["address"] for each in page))
    assert kept == [
        ((), ("b",), ("опт",)), ("client1@example.com", "client0@example.com"),
        ((), (), ("опт",)), ("client0@example.com",),
        ((), (), ()), (),
    ]  # fmt: skip
    assert all(rebuilt.equal for rebuilt in await rebuild(database, Wanted(switch=False)))


async def test_an_undone_import_is_passed_over_by_who_looks_for_somebodys_events(
    database: Database, store: EventStore
) -> None:
    import_id = uuid4()
    await take_in(database, store, file_of(2), import_id)
    await take_back(database, store, import_id)
    traces = await database.read(lambda tx: read_traces(tx, 0, 10_000))
    assert [each.position for each in traces] == [each.position for each in await events(database)]
    assert [(each.type.rsplit(":", 1)[-1], each.left_id) for each in traces][-1] == ("ImportUndone", None)


async def test_nobody_undoes_what_never_was(database: Database, store: EventStore) -> None:
    with pytest.raises(NoSuchThing):
        await take_back(database, store, uuid4())


async def test_everything_exported_reads_back_as_it_is(database: Database, store: EventStore) -> None:
    hostile = '"=HYPERLINK(""x"")","\'+1","\t=1","-1\n=2",'
    await take_in(
        database, store,
        "name,notes,requisites,addresses,birthday,email\n"
        f"{hostile}--02-29,a@example.com\n"
        '"\'\'=x",",;""",Привет,,31.12.1990,"b@example.com, c@пример.рф"\n',
    )  # fmt: skip
    await show(database)
    for separator in (",", ";", "\t"):
        data = b"".join([piece async for piece in exporting.csv_of(database, {}, separator)])
        plan = await importing.plan(database, importing.Wanted(io.BytesIO(data), "c.csv", (), {}))
        steps = [step async for step in importing.dry_run(database, plan)]
        assert steps[-1].totals == {"new": 0, "known": 2, "changed": 0, "conflict": 0, "wrong": 0}


async def test_what_was_agreed_to_in_a_form_stands_on_the_card(database: Database, store: EventStore) -> None:
    record = "Согласен · и на звонки · 2026-11-21T12:00:00.000000Z · 203.0.113.5 · https://example.com/form"
    fields = (("email", "anna@example.com"), ("consent_record", record), ("consent_record", "newsletter"))
    form = inbound(kind="form", channel_kind="web_form", fields=fields)
    for _ in range(2):
        await store.record(lambda session, tx: intake.receive(session, tx, [form]))
    id_ = await owner(database, "anna@example.com")
    said = e.Consent(
        "given",
        "Согласен · и на звонки\nnewsletter",
        form.occurred_at,
        "form · 203.0.113.5 · https://example.com/form",
    )
    assert (await card_of(database, id_)).consents == {"web_form": said}
    assert len([r for r in await events(database) if isinstance(r.event, e.ConsentGiven)]) == 1
