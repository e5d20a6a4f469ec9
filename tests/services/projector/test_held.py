"""Reports that do not tell whose call it is: in any order, one call of the right customer and nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import permutations
from typing import Any

from services.projector.held import WAITS
from shared.contracts.codec import Contract
from shared.contracts.files import FileFetched, FileUnavailable, fetch_id
from shared.contracts.inbound import Address, FileRef, InboundMessage, Leg, RemoteFile
from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.event_store.store import EventStore
from shared.read_models import customers, quarantine, timeline
from tests.event_store.index import derived, standing
from tests.examples import AT, LINE, call_report
from tests.read_models.contents import show
from tests.services.projector.running import take
from tests.stores import create_all_tables

KEY = f"call:{LINE}/call-1"
SOUND = RemoteFile("r1", "recording.mp3", "audio/mpeg")


def named(item: InboundMessage) -> InboundMessage:
    return replace(item, refers_to=(KEY,), known_as=(KEY,), proves=(KEY,))


def nameless(state: str = "ringing", **facts: Any) -> InboundMessage:
    """A report without the client's number."""
    files = facts.pop("remote_files", ())
    item = named(call_report(state, **facts))
    assert item.call is not None
    call, sender = replace(item.call, from_="", to=""), Address("telephony", "call-1")
    return replace(item, sender=sender, call=call, remote_files=files, awaits_call=True)


def the_call() -> list[Contract]:
    recorded = nameless(recording="r1", remote_files=(SOUND,))
    leg = Leg("leg", "101", "ended", 1, AT, True)
    sound = FileRef("ab" * 32, 7, SOUND.name, SOUND.media_type)
    fetched = FileFetched(fetch_id(recorded.id, "r1"), recorded.id, LINE, "r1", sound, AT)
    named_reports = named(call_report("ringing")), named(call_report("finished", talking_seconds=60))
    return [*named_reports, nameless(legs=(leg,)), recorded, fetched]


def everything(tx: Transaction) -> dict[str, Any]:
    """What a person sees of the call: whose it is, what it is, and what waits."""
    everybody = customers.page(tx, None, 10)
    entries = [e for c in everybody for e in timeline.of_customer(tx, c["id"], timeline.Page(10))]
    calls = [(e["call"], [(f["name"], f["sha256"]) for f in e["attachments"]]) for e in entries if e["kind"] == "call"]
    waiting = [each["reason"] for each in quarantine.page(tx, None, 10) if each["state"] != "resolved"]
    return {"customers": [c["identities"][0]["address"] for c in everybody], "calls": calls, "waiting": waiting}


def without_urls(seen: dict[str, Any]) -> dict[str, Any]:
    for call, _ in seen["calls"]:
        call["recording"] = bool(call["recording"])
    return seen


async def seen(database: Database) -> dict[str, Any]:
    await show(database)
    assert await database.read(standing) == await database.read(derived)
    return without_urls(await database.read(everything))


async def test_the_order_of_reports_does_not_matter(tmp_path: Any) -> None:
    found = []
    for number, order in enumerate(permutations(range(5))):
        if order.index(3) > order.index(4):
            continue  # a file is told of after the report that names it
        one = open_database(f"sqlite:///{tmp_path / f'{number}.db'}")
        reports, a_store = the_call(), create_all_tables(one)
        for each in order:
            await take(a_store, reports[each])
        found.append(await seen(one))
        await one.close()
    assert found == [found[0]] * 60
    assert found[0]["customers"] == ["+4915112345678"]
    ((call, files),) = found[0]["calls"]
    assert (call["state"], call["talking_seconds"], call["recording"], files) == (
        "finished", 60, True, [("recording.mp3", "ab" * 32)]
    )  # fmt: skip
    assert ([leg["to"] for leg in call["legs"]], found[0]["waiting"]) == (["101"], [])


async def test_a_report_that_waits_is_seen_in_the_quarantine_and_makes_no_customer(
    database: Database, store: EventStore
) -> None:
    recorded = nameless(recording="r1", remote_files=(SOUND,))
    await take(store, recorded)
    assert await take(store, recorded) == []
    assert await seen(database) == {"customers": [], "calls": [], "waiting": [WAITS]}
    gone = FileUnavailable(fetch_id(recorded.id, "r1"), recorded.id, LINE, "r1", "deleted", AT)
    await take(store, gone, gone)
    await take(EventStore(database), named(call_report("missed")), recorded)
    after = await seen(database)
    assert (after["customers"], after["waiting"]) == (["+4915112345678"], [])
    ((call, files),) = after["calls"]
    assert (call["state"], files) == ("missed", [("recording.mp3", None)])


async def test_in_one_batch_a_report_waits_for_the_next(database: Database, store: EventStore) -> None:
    reports = the_call()
    await take(store, reports[3], reports[2], reports[4], reports[0], reports[1])
    after = await seen(database)
    assert (after["customers"], after["waiting"], len(after["calls"])) == (["+4915112345678"], [], 1)
    assert after["calls"][0][1] == [("recording.mp3", "ab" * 32)]


async def test_at_two_processes_at_once_neither_waits_for_the_other(database: Database, store: EventStore) -> None:
    for number in range(10):
        reports = [replace(each, external_id=f"c{number}") for each in (nameless(), named(call_report("answered")))]
        key = f"call:{LINE}/c{number}"
        reports = [replace(each, refers_to=(key,), known_as=(key,), proves=(key,)) for each in reports]
        await asyncio.gather(take(store, reports[0]), take(EventStore(database), reports[1]))
    after = await seen(database)
    assert (after["customers"], after["waiting"], len(after["calls"])) == (["+4915112345678"], [], 10)


async def test_a_caller_who_withheld_the_number_is_shown_at_once(store: EventStore) -> None:
    withheld = replace(nameless(), awaits_call=False)
    registered, *_ = await take(store, withheld)
    assert registered.address.kind == "telephony"
