"""Merges that never happened: 2,000 lives with and without them compared; and a page of a group of 100,000 entries."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from statistics import median
from uuid import uuid5

from hypothesis import HealthCheck, Phase, given, settings

from shared.database.sqlite_transaction import SqliteTransaction
from shared.read_models import live, timeline
from tests.benchmarks.table import Figure
from tests.examples import MAILBOX
from tests.read_models.twins import Step, compare, lives

LIVES = 2_000
MEMBERS = 4
SMALL, LARGE = 100, 100_000


def figures() -> Iterator[Figure]:
    compared, merged = _lives()
    print(f"{compared} histories compared with the same without merges, {merged} merges in them: none differed")
    yield Figure("histories compared after un-merging, none different", compared, "", LIVES, True)
    with _group(SMALL) as one, _group(LARGE) as other:
        small, large = _page_microseconds(one, other)
    yield Figure(
        f"page of a group of {MEMBERS} with {LARGE:,} entries", large, "µs", 1.5 * small, False, small,
        f"with {SMALL} entries",
    )  # fmt: skip


def _lives() -> tuple[int, int]:
    """Return how many histories were equal and how many merges they had. Raises AssertionError for one that is not."""
    merges: list[int] = []

    @settings(
        deadline=None, max_examples=LIVES, database=None, phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(lives)
    def check(life: list[Step]) -> None:
        merges.append(compare(life))

    check()
    return len(merges), sum(merges)


def _page_microseconds(one: SqliteTransaction, other: SqliteTransaction) -> tuple[float, float]:
    """Return the median times of a page from the middle of each group's timeline, taken in turn."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(300):
        for tx, entries, times in ((one, SMALL, taken[0]), (other, LARGE, taken[1])):
            page, began = timeline.Page(50, entries // 2 - 1), time.perf_counter()
            timeline.of_customer(tx, uuid5(MAILBOX, "member 1"), page)
            times.append(time.perf_counter() - began)
    return median(taken[0]) * 1e6, median(taken[1]) * 1e6


@contextmanager
def _group(entries: int) -> Iterator[SqliteTransaction]:
    """Yield tables in which the members of a group have written in turn."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        tx = SqliteTransaction(connection)
        for model in live.models().values():
            tx.script(model.schema(""))
            tx.script(model.indexes(""))
        people = [str(uuid5(MAILBOX, f"member {n}")) for n in range(MEMBERS)]
        columns = (
            "position", "id", "customer_id", "conversation_id", "kind", "changes", "facet", "occurred", "body"
        )  # fmt: skip
        body = '{"id": "%s", "text": "Hello", "direction": "inbound", "kind": "text"}'
        ids = [str(uuid5(MAILBOX, str(n))) for n in range(entries)]
        rows = [(n, id_, people[n % MEMBERS], id_, "text", 0, 0, n, body % id_) for n, id_ in enumerate(ids)]
        tx.insert_many("timeline", columns, rows)
        merged = [(id_, people[0], people[0], "2026", "Olga") for id_ in people[1:]]
        tx.insert_many("customer_groups", ("member_id", "into_id", "root_id", "merged_at", "merged_by"), merged)
        yield tx
