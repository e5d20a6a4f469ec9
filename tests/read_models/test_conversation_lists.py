"""Lists of conversations in pages: each once, the one changed last first, and no more is read than is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.database.protocol import Database, Transaction
from shared.event_store.store import EventStore
from shared.read_models import conversations
from tests.read_models.lived import Life, life, lives
from tests.read_models.test_past import record, slowly, undone

STATUSES = ("open", "snoozed", "closed")


def paged(tx: Transaction, status: str | None, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while part := conversations.page(tx, status, None, found[-1]["position"] if found else None, limit):
        assert len(part) <= limit
        found += part
    return found


def listed(tx: Transaction, status: str | None) -> list[dict[str, Any]]:
    every = filter(conversations.is_listed, conversations.every_one(tx))
    return [each for each in every if status is None or each["status"] == status]


@slowly
@given(lives, st.integers(1, 3))
def test_all_conversations_in_pages_are_those_of_every_status_by_their_last_change(
    database: Database, store: EventStore, steps: list[tuple[str, int, int]], limit: int
) -> None:
    with undone(database) as tx:
        for event in life(steps):
            record(tx, event)
        for status in (None, *STATUSES):
            assert paged(tx, status, limit) == listed(tx, status)


def test_many_conversations_of_every_status_are_paged_without_repeats_or_holes(
    database: Database, store: EventStore
) -> None:
    history = Life()
    for which in range(40):
        history.do("message", which, which % 6)
    for which in range(0, 40, 3):
        history.do("close" if which % 2 else "snooze", which, 1)
    with undone(database) as tx:
        for event in history.events:
            record(tx, event)
        whole = listed(tx, None)
        assert {each["status"] for each in whole} == set(STATUSES)
        assert paged(tx, None, 7) == whole
        assert [each["position"] for each in whole] == sorted({each["position"] for each in whole}, reverse=True)


@pytest.mark.parametrize("status", [None, *STATUSES])
def test_a_page_of_a_list_reads_an_index_from_where_it_begins(
    database: Database, store: EventStore, status: str | None
) -> None:
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL reads small tables as a whole")
    with database.reading() as tx:
        plan = explained(tx, status)
    wanted = "SEARCH c USING INDEX conversations_status (status=? AND position<?)"
    assert [step for step in plan if " c" in step] == [wanted] * (3 if status is None else 1)


def explained(tx: Transaction, status: str | None) -> list[str]:
    plan: list[str] = []

    class Explaining:
        def rows(self, sql: str, values: Any) -> list[Any]:
            plan.extend(row[-1] for row in tx.rows(f"EXPLAIN QUERY PLAN {sql}", values))
            return []

    conversations.page(Explaining(), status, None, 1_000_000, 50)  # type: ignore[arg-type]
    return plan
