"""Makes the routing index anew from the log after a restore: no backup has it, as it has addresses in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.domain.unreadable import Unreadable
from shared.event_store import erasures
from shared.event_store.log import LAST_POSITION, read_window
from shared.event_store.mapper import About, Happening
from shared.event_store.routing_entries import Entries

TABLES = (
    "routing_seen", "routing_addresses", "routing_external", "routing_threads", "routing_topics", "routing_call_backs",
    "routing_auto_replies", "routing_merges", "routing_claims",
)  # fmt: skip
BATCH = 500


def reindex(database: Database, *, pass_over: bool = False) -> tuple[int, list[str]]:
    """Return how many events were taken in, and what was left out in words: what cannot be read, if it may be.

    What is erased leaves no address, and is known by its ids as before. Raises EventUnreadable.
    """
    with database.writing() as tx:
        for table in TABLES:
            tx.run(f"DELETE FROM {table}")
        tx.run("DELETE FROM erased_customers")
    position, count, left_out = 0, 0, list[str]()
    while True:
        with database.writing() as tx:
            events = read_window(tx, position, LAST_POSITION, BATCH, pass_over=pass_over)
            if not events:
                return count, left_out
            readable = [recorded for recorded in events if not isinstance(recorded.event, Unreadable)]
            _take_in(tx, readable)
        left_out += [event.why for each in events if isinstance(event := cast("object", each.event), Unreadable)]
        position, count = events[-1].position, count + len(readable)


def _take_in(tx: Transaction, events: Sequence[e.Recorded]) -> None:
    entries = Entries()
    for recorded in events:
        if isinstance(recorded.event, e.InboundQuarantined):
            entries.seen.setdefault(recorded.event.item_id, None)
        if isinstance(recorded.event, e.ReportHeld):
            entries.seen.setdefault(recorded.event.message_id, None)
        happening = Happening(recorded.event, About(recorded.occurred_at, recorded.actor, recorded.cause))
        entries.add(happening)
        erasures.add(tx, [recorded.event.customer_id] if isinstance(recorded.event, e.CustomerErased) else [])
    entries.addresses = {key: customer for key, customer in entries.addresses.items() if key[1]}
    entries.auto_replies = {address: at for address, at in entries.auto_replies.items() if address}
    tx.run_many("DELETE FROM routing_seen WHERE id = ?", [(str(id_),) for id_ in entries.seen])
    tx.run_many(
        "DELETE FROM routing_addresses WHERE kind = ? AND address = ?", [list(key) for key in entries.addresses]
    )
    entries.save(tx)
