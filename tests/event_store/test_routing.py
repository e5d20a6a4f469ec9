"""The routing index answers by its indexes, whichever way it is asked."""

from __future__ import annotations

from uuid import uuid5

import pytest

from shared.contracts import inbound as wire
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store.store import EventStore
from shared.event_store.topics import topic_of
from tests.examples import MAILBOX, inbound, received


def plan(tx: Transaction) -> str:
    """Return how copies are looked for; a small table would be read whole by PostgreSQL."""
    explain = "EXPLAIN QUERY PLAN"
    if tx.dialect == "postgres":
        tx.run("SET LOCAL enable_seqscan TO off")
        explain = "EXPLAIN"
    return str(tx.rows(f"{explain} SELECT id FROM routing_copies WHERE copy_of IN ('a', 'b')"))


async def test_copies_are_found_by_what_they_are_copies_of_without_reading_all(
    database: Database, store: EventStore
) -> None:
    assert "routing_copies_of" in await database.read(plan)


@pytest.mark.parametrize(
    ("answers_to", "writer"),
    [
        ("anna+42@example.com", "email:anna@example.com"),
        ("List+42@example.com", "email:anna@example.com list@example.com"),
        (None, "email:anna@example.com"),
    ],
)
def test_an_item_and_what_is_received_of_it_are_kept_under_one_subject(answers_to: str | None, writer: str) -> None:
    there = ("email", answers_to) if answers_to else None
    item = inbound(topic="order 7", reply_to=there and wire.Address(*there))
    message = received(topic="order 7", reply_to=there and e.Address(*there))
    assert topic_of(item) == topic_of(message) == uuid5(MAILBOX, f"{writer}\norder 7")
