"""The tables depend on the events only: not on batches, not on when they were built."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from random import Random
from uuid import uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import to_text
from shared.database.protocol import Database
from shared.domain import events as e
from shared.event_store.log import read_log
from shared.event_store.store import EventStore
from shared.read_models import conversations, live, quarantine, timeline
from shared.read_models.past import tables_of
from tests.examples import MAILBOX
from tests.read_models.contents import contents, empty_tables, show
from tests.read_models.histories import KINDS, History, Step, append, history, steps


def long_history(count: int = 400, seed: int = 7) -> list[e.Recorded]:
    chance = Random(seed)
    taken: list[Step] = [
        (chance.choice([*KINDS, "message", "reply"]), chance.randrange(4), chance.randrange(6)) for _ in range(count)
    ]
    return history(taken)


async def record(store: EventStore, events: list[e.Recorded]) -> None:
    await store.record(partial(append, events=events))


def test_a_long_history_has_every_kind_of_event() -> None:
    kinds = {type(recorded.event).__name__ for recorded in long_history()}
    assert len(kinds) == 23


@settings(deadline=None, max_examples=60)
@given(steps, st.lists(st.integers(1, 15), min_size=1, max_size=8))
def test_batches_of_any_size_give_the_same_tables(taken: list[Step], sizes: list[int]) -> None:
    events = history(taken)
    with empty_tables() as batched:
        position, turn = 0, 0
        while position < len(events):
            batch = events[position : position + sizes[turn % len(sizes)]]
            for model in live.models().values():
                model.apply(batched, batch, "")
            position, turn = position + len(batch), turn + 1
        in_batches = contents(batched)
    with tables_of(events, apart=True) as at_once:
        assert in_batches == contents(at_once)


@settings(deadline=None, max_examples=60)
@given(steps)
def test_the_list_agrees_with_the_state_that_decisions_are_made_on(taken: list[Step]) -> None:
    made = History()
    for step in taken:
        made.do(*step)
    with tables_of(made.events) as tx:
        for id_, state in made.states.items():
            shown = conversations.conversation(tx, id_)
            if state.status == "new":
                assert shown is None
                continue
            assert shown is not None
            assert shown["status"] == state.status
            assert shown["tags"] == sorted(state.tags)
            assert (shown["assignee"] or {}).get("id") == (str(state.assignee) if state.assignee else None)
            assert shown["snoozed_until"] == (to_text(state.snoozed_until) if state.snoozed_until else None)
            assert shown["cannot_reply"] == (
                state.unreachable or (state.answerable.cannot_reply if state.answerable else "") or None
            )
            entries = timeline.of_conversation(tx, id_, timeline.Page(1000))
            assert shown["messages_count"] == len(entries)
            replies = {entry["id"]: entry["delivery"]["state"] for entry in entries if entry["delivery"]}
            assert {i: s for i, s in replies.items() if s not in ("sent", "delivered")} == {
                str(i): reply.state for i, reply in state.replies.items()
            }
            calls = {entry["id"]: entry["call"]["state"] for entry in entries if entry.get("call")}
            assert calls == {str(i): call.state for i, call in state.calls.items()}


async def test_the_live_tables_are_those_of_the_log(database: Database, store: EventStore) -> None:
    events = long_history()
    for start in range(0, len(events), 90):
        await record(store, events[start : start + 90])
        await show(database)
    with tables_of(events, apart=True) as expected:
        wanted = contents(expected)
    found = await database.read(contents)
    with_clocks = {
        "conversations",
        "conversations_kept",
        "customers",
        "timeline",
        "timeline_left",
        "clocks",
        "open_calls",
    }
    for table, rows in wanted.items():
        assert len(found[table]) == len(rows)
        if table not in with_clocks:
            assert found[table] == rows


async def test_taking_in_events_again_changes_nothing(database: Database, store: EventStore) -> None:
    await record(store, long_history(100))
    await show(database)
    before = await database.read(contents)
    events = await database.read(lambda tx: read_log(tx, 0, 1000))
    await database.write(partial(live.take_in, events=events))
    await database.write(partial(live.take_in, events=events[-5:]))
    assert await database.read(contents) == before


@pytest.mark.parametrize("descending", [False, True])
def test_a_timeline_is_paged_without_repeats_or_holes(descending: bool) -> None:
    customer = uuid5(MAILBOX, "customer 0")
    with tables_of(long_history(200)) as tx:
        whole = timeline.of_customer(tx, customer, timeline.Page(10_000, None, descending))
        paged, after = [], None
        while page := timeline.of_customer(tx, customer, timeline.Page(7, after, descending)):
            paged += page
            after = page[-1]["position"]
    assert len(whole) > 50
    assert paged == whole


def test_the_quarantine_shows_the_last_reason_and_state() -> None:
    with tables_of(history([("quarantine", 0, 1), ("retry_item", 0, 0), ("quarantine", 0, 2)])) as tx:
        (item,) = quarantine.page(tx, None, 10)
        assert (item["reason"], item["state"], quarantine.waiting_count(tx)) == ("reason 2", "waiting", 1)
    with tables_of(history([("quarantine", 0, 1), ("retry_item", 0, 0), ("resolve", 0, 0)])) as tx:
        (item,) = quarantine.page(tx, None, 10)
        assert (item["state"], quarantine.waiting_count(tx)) == ("resolved", 0)


def test_a_time_at_the_end_of_the_calendar_is_shown() -> None:
    """`Date: 31 Dec 9999 23:59:59 -0500` is no moment that UTC has; it must not stop the read models."""
    west, east = timezone(timedelta(hours=-5)), timezone(timedelta(hours=5))
    events = history([("message", 0, 1), ("snooze", 0, 1)])
    late, early = datetime.max.replace(tzinfo=west), datetime.min.replace(tzinfo=east)
    snoozed = replace(events[-1], event=replace(events[-1].event, until=late))  # type: ignore[arg-type]
    odd = [replace(events[1], occurred_at=late), replace(events[2], occurred_at=early), snoozed]
    with tables_of([events[0], *odd]) as tx:
        (shown,) = conversations.page(tx, "snoozed", None, None, 10)
    assert shown["snoozed_until"] == "9999-12-31T23:59:59.999999Z"
