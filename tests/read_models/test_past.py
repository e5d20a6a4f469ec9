"""As of any moment: exactly what was shown then, or what had happened by then; and the filters of a timeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.inbox_api import past
from services.inbox_api.timelines import Asked, entries
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store.log import read_log
from shared.event_store.mapper import About, Happening, to_state
from shared.event_store.moments import position_at, position_before
from shared.event_store.recorders import recorder_for
from shared.event_store.store import EventStore
from shared.read_models import cards, conversations, conversations_past, customers, live, reach, timeline
from shared.read_models import timeline as timelines
from shared.read_models.facets import Facet, Filter
from shared.read_models.moment import By
from shared.read_models.past import tables_of
from shared.read_models.timeline_pages import Page
from tests.examples import AT, MAILBOX, OLGA
from tests.read_models.lived import Life, life, lives

Body = dict[str, Any]
EVERYTHING = Page(10_000)
CUSTOMERS = [uuid5(MAILBOX, f"customer {n}") for n in range(2)]
CONVERSATIONS = [uuid5(MAILBOX, f"conversation {n}") for n in range(4)]
EVERY = 7
"""Which moments are looked at: each takes a while."""
STATUSES = ("open", "snoozed", "closed", None)
slowly = settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def versions_are_kept_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations_past, "KEEP_EVERY", 3)


class _Undone(Exception):
    """Ends a transaction without leaving anything."""


@contextmanager
def undone(database: Database) -> Iterator[Transaction]:
    """A transaction that writes nothing in the end: each example begins with empty tables."""
    try:
        with database.writing() as tx:
            yield tx
            raise _Undone
    except _Undone:
        return


def record(tx: Transaction, event: e.Recorded) -> e.Recorded:
    """Put an event into the log with its own times and show it; return it with its position."""
    about = About(event.occurred_at, event.actor, event.cause)
    state = to_state(Happening(event.event, about), event.recorded_at)
    recorder = recorder_for(tx)
    before = recorder.max_notification_id() or 0
    recorder.insert([StoredEvent(event.stream_id, event.version, type(event.event).__name__, state)], [])
    (recorded,) = read_log(tx, before, 1)
    live.take_in(tx, [recorded])
    return recorded


def asked(limit: int = 100, before: int | None = None, status: str | None = None) -> past.Listed:
    return past.Listed(status, None, before, limit)


@dataclass(frozen=True)
class Shown:
    """Everything an operator could see."""

    timelines: list[list[Body]]
    messages: list[list[Body]]
    conversations: list[Body | None]
    customers: list[Body | None]
    lists: list[list[Body]]
    of_customers: list[list[Body]]


def shown_now(tx: Transaction) -> Shown:
    return Shown(
        [timeline.of_customer(tx, id_, EVERYTHING) for id_ in CUSTOMERS],
        [timeline.of_conversation(tx, id_, EVERYTHING) for id_ in CONVERSATIONS],
        [conversations.conversation(tx, id_) for id_ in CONVERSATIONS],
        [customer_now(tx, id_) for id_ in CUSTOMERS],
        [conversations.page(tx, status, None, None, 100) for status in STATUSES],
        [conversations.page(tx, None, id_, None, 100) for id_ in CUSTOMERS],
    )


def customer_now(tx: Transaction, id_: UUID) -> Body | None:
    found = customers.customer(tx, id_)
    if found is None:
        return None
    shown = reach.with_blocks(found, reach.blocks(tx, reach.members(found)))
    return shown | {"card": cards.card(tx, UUID(found["id"]), {})}


def shown_as_of(tx: Transaction, at: datetime, by: By = "known") -> Shown:
    moment = past.moment_at(tx, at, by)
    wanted = timelines.Wanted(moment=moment)
    return Shown(
        [timeline.of_group(tx, past.members_at(tx, id_, moment), EVERYTHING, wanted) for id_ in CUSTOMERS],
        [past.messages(tx, id_, EVERYTHING, at, by) for id_ in CONVERSATIONS],
        [past.conversation(tx, id_, at, by) for id_ in CONVERSATIONS],
        [past.customer(tx, id_, at, by) for id_ in CUSTOMERS],
        [past.page(tx, asked(status=status), at, by) for status in STATUSES],
        [past.page(tx, past.Listed(None, id_, None, 100), at, by) for id_ in CUSTOMERS],
    )


@slowly
@given(lives)
def test_the_past_is_exactly_what_was_shown_then(
    database: Database, store: EventStore, steps: list[tuple[str, int, int]]
) -> None:
    with undone(database) as tx:
        then: list[tuple[datetime, Shown]] = []
        for number, event in enumerate(life(steps)):
            at = record(tx, event).recorded_at
            if number % EVERY == len(steps) % EVERY:
                then.append((at, shown_now(tx)))
        for at, shown in then:
            assert shown_as_of(tx, at + timedelta(seconds=30)) == shown
        assert shown_as_of(tx, AT - timedelta(days=1)) == Shown(
            [[], []], [[]] * 4, [None] * 4, [None] * 2, [[]] * 4, [[]] * 2
        )


@slowly
@given(lives)
def test_what_had_happened_by_then_is_what_those_events_make(
    database: Database, store: EventStore, steps: list[tuple[str, int, int]]
) -> None:
    with undone(database) as tx:
        events = [record(tx, event) for event in life(steps)]
        for at in sorted({recorded.recorded_at for recorded in events})[:: EVERY + 2]:
            with tables_of(happened(events, at)) as made:
                assert shown_as_of(tx, at, "happened") == shown_now(made)


def happened(events: list[e.Recorded], at: datetime) -> list[e.Recorded]:
    """Those that had happened, with what their streams begin with, and their customers."""
    found = [recorded for recorded in events if recorded.occurred_at <= at]
    streams = {recorded.stream_id for recorded in found}
    begun = [r for r in events if r.version == 1 and (r.stream_id in streams)]
    owners = {getattr(recorded.event, "customer_id", None) for recorded in found}
    registered = [r for r in events if isinstance(r.event, e.CustomerRegistered) and r.event.customer_id in owners]
    by_position = {recorded.position: recorded for recorded in [*found, *begun, *registered]}
    return [by_position[position] for position in sorted(by_position)]


filters = st.builds(
    Asked,
    kinds=st.lists(st.sampled_from(["text", "call", "note", "moved", "closed", "delivery", "delivery_failed"])).map(
        tuple
    ),
    authors=st.lists(st.sampled_from(["customer", "operator", "system", OLGA.id])).map(tuple),
    by=st.sampled_from(["known", "happened"]),
    since=st.none() | st.integers(-60, 60).map(lambda minutes: AT + timedelta(minutes=minutes)),
    until=st.none() | st.integers(-60, 60).map(lambda minutes: AT + timedelta(minutes=minutes)),
    as_of=st.none() | st.integers(0, 60).map(lambda minutes: AT + timedelta(minutes=minutes)),
)


@slowly
@given(lives, filters, st.booleans(), st.integers(1, 6))
def test_a_filtered_timeline_in_pages_is_the_whole_one_filtered(
    database: Database,
    store: EventStore,
    steps: list[tuple[str, int, int]],
    wanted: Asked,
    descending: bool,
    limit: int,
) -> None:
    with undone(database) as tx:
        for event in life(steps):
            record(tx, event)
        paged: list[Body] = []
        after = None
        while part := entries(tx, CUSTOMERS[0], Page(limit, after, descending), wanted):
            paged += part
            after = part[-1]["position"]
        whole = entries(tx, CUSTOMERS[0], EVERYTHING, Asked(by=wanted.by, as_of=wanted.as_of))
        expected = [entry for entry in whole if fits(tx, entry, wanted)]
        assert paged == (expected[::-1] if descending else expected)


def fits(tx: Transaction, entry: Body, wanted: Asked) -> bool:
    (recorded,) = read_log(tx, entry["position"] - 1, 1)
    clock = recorded.recorded_at if wanted.by == "known" else recorded.occurred_at
    author = recorded.actor.id if entry["author"]["kind"] == "operator" else ""
    facet = Facet(entry["kind"], "", entry["author"]["kind"], author)
    return (
        Filter(wanted.kinds, None, wanted.authors).fits(facet)
        and (wanted.since is None or clock >= wanted.since)
        and (wanted.until is None or clock <= wanted.until)
    )


async def test_the_list_as_of_a_moment_is_paged_without_repeats_or_holes(database: Database, store: EventStore) -> None:
    with undone(database) as tx:
        for event in many_conversations(40):
            record(tx, event)
        at, counts = AT + timedelta(minutes=65), []
        for by in ("known", "happened"):
            whole = past.page(tx, asked(500), at, by)
            paged: list[Body] = []
            while part := past.page(tx, asked(7, paged[-1]["position"] if paged else None), at, by):
                paged += part
            assert paged == whole
            counts.append(len(whole))
        assert 20 < counts[0] < counts[1] < 40


def many_conversations(count: int) -> list[e.Recorded]:
    """Each of three events; the last ones are recorded late."""
    life = Life()
    for which in range(count):
        life.do("late" if which > 27 else "message", which, which % 6)
    for which in range(count):
        life.do("close" if which % 2 else "message", which, 1)
    return life.events


def test_a_place_in_the_log_is_found_by_time(database: Database, store: EventStore) -> None:
    with undone(database) as tx:
        events = [record(tx, event) for event in life([("message", n, n) for n in range(4)] * 3)]
        for recorded in events:
            earlier = max((r.position for r in events if r.recorded_at < recorded.recorded_at), default=0)
            assert position_at(tx, recorded.recorded_at) == recorded.position
            assert earlier <= position_before(tx, recorded.recorded_at) < recorded.position
        assert position_at(tx, AT - timedelta(days=1)) == 0
        assert position_at(tx, AT + timedelta(days=1)) == events[-1].position
