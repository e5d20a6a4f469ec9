"""Makes the routing index anew from the log after a restore: no backup has it, as it has addresses in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store import erasures
from shared.event_store.log import read_log
from shared.event_store.mapper import About, Happening
from shared.event_store.routing_entries import Entries

TABLES = (
    "routing_seen", "routing_addresses", "routing_external", "routing_threads", "routing_topics", "routing_call_backs",
    "routing_auto_replies", "routing_merges", "routing_claims",
)  # fmt: skip
BATCH = 500


def reindex(database: Database) -> int:
    """Return how many events were taken in. What is erased leaves no address, and is known by its ids as before."""
    with database.writing() as tx:
        for table in TABLES:
            tx.run(f"DELETE FROM {table}")
        tx.run("DELETE FROM erased_customers")
    position = count = 0
    while True:
        with database.writing() as tx:
            events = read_log(tx, position, BATCH)
            if not events:
                return count
            _take_in(tx, events)
        position, count = events[-1].position, count + len(events)


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
