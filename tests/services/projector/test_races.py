"""Two processes that take in the two halves of one thing at the same moment: it is one thing, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import pytest

from shared.contracts.codec import Contract
from shared.contracts.inbound import InboundMessage, inbound_id
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.event_store.store import EventStore
from shared.read_models import customers, quarantine, timeline
from tests.event_store.index import derived, standing
from tests.examples import FORM, MAILBOX, call_report, inbound
from tests.read_models.contents import show
from tests.services.projector.running import messages, take
from tests.services.projector.test_held import named, nameless
from tests.stores import create_all_tables

PAIRS = 6
"""Of each: some of them meet, whichever process is a little ahead."""


@asynccontextmanager
async def two_processes(url: str) -> AsyncIterator[tuple[Database, EventStore, EventStore]]:
    one, other = open_database(url), open_database(url)
    try:
        yield one, create_all_tables(one), EventStore(other)
        assert await one.read(standing) == await one.read(derived)
    finally:
        await one.close()
        await other.close()


async def at_once(one: EventStore, other: EventStore, pairs: Sequence[tuple[Contract, Contract]]) -> None:
    for first, second in pairs:
        await asyncio.gather(take(one, first), take(other, second))


def post(number: int, window: int) -> InboundMessage:
    """A form posted in a window of time, known as those of the two before as well; in one process of those after."""
    keys = partial("post {}:{}".format, number)
    return inbound(
        f"post {number}",
        f"client{number}@example.com",
        channel_id=FORM,
        channel_kind="web_form",
        kind="form",
        external_id=keys(window),
        known_as=(),
        same_as=tuple(inbound_id(FORM, keys(window - before)) for before in (1, 2)),
        same_later=tuple(inbound_id(FORM, keys(window + after)) for after in (1, 2)),
    )


@pytest.mark.parametrize(("first", "second"), [(3, 3), (3, 5), (5, 3)])
async def test_one_submission_posted_to_two_processes_is_one_entry(any_url: str, first: int, second: int) -> None:
    async with two_processes(any_url) as (database, one, other):
        await at_once(one, other, [(post(n, first), post(n, second)) for n in range(PAIRS)])
        found = await messages(database)
        assert len(found) == PAIRS
        await at_once(other, one, [(post(n, first), post(n, second)) for n in range(PAIRS)])
        assert await messages(database) == found


async def test_a_mail_that_two_processes_have_by_two_ways_is_one_message(any_url: str) -> None:
    def mail(number: int, way: str) -> InboundMessage:
        ids = {"id": inbound_id(MAILBOX, f"{number} by {way}"), "same_as": (inbound_id(MAILBOX, f"said {number}"),)}
        return inbound(f"mail {number}", f"client{number}@example.com", external_id=f"<{number}>", **ids)

    async with two_processes(any_url) as (database, one, other):
        await at_once(one, other, [(mail(n, "alias"), mail(n, "list")) for n in range(PAIRS)])
        found = await messages(database)
        assert len(found) == PAIRS
        await at_once(other, one, [(mail(n, "list"), mail(n, "folder")) for n in range(PAIRS)])
        assert await messages(database) == found


async def test_the_parts_of_an_album_are_one_message(any_url: str) -> None:
    def part(album: int, number: int) -> InboundMessage:
        key, more = f"{album}:{number}", {"known_as": (), "thread_key": str(album), "part_of": f"{album}/album/1"}
        return inbound(f"part {number}", f"client{album}@example.com", external_id=key, **more)

    async with two_processes(any_url) as (database, one, other):
        await at_once(one, other, [(part(n, 1), part(n, 2)) for n in range(PAIRS)])
        await show(database)
        entries = await database.read(_entries)
        assert sorted(sorted(entry["text"].split("\n\n")) for entry in entries) == [["part 1", "part 2"]] * PAIRS


async def test_a_report_without_the_client_and_the_call_it_waits_for_meet(any_url: str) -> None:
    def of_call(report: InboundMessage, number: int) -> InboundMessage:
        key, phone = f"call:{number}", f"+4915112345{number:03}"
        told = replace(report, external_id=f"call-{number}", refers_to=(key,), known_as=(key,), proves=(key,))
        return told if report.awaits_call else replace(told, sender=replace(told.sender, address=phone))

    async with two_processes(any_url) as (database, one, other):
        pairs = [
            (of_call(nameless(recording="r1"), n), of_call(named(call_report("ringing")), n)) for n in range(PAIRS)
        ]
        await at_once(one, other, [pair if n % 2 else pair[::-1] for n, pair in enumerate(pairs)])
        await show(database)
        entries = await database.read(_entries)
        assert [bool(entry["call"]["recording"]) for entry in entries] == [True] * PAIRS
        waiting = await database.read(
            lambda tx: [q for q in quarantine.page(tx, None, 100) if q["state"] != "resolved"]
        )
        assert waiting == []


def _entries(tx: Any) -> list[dict[str, Any]]:
    everybody = customers.page(tx, None, 100)
    return list(chain.from_iterable(timeline.of_customer(tx, c["id"], timeline.Page(10)) for c in everybody))
