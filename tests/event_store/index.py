"""The routing index as it stands, and as the log says it should be (I2)."""

from __future__ import annotations

from typing import Any

from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.event_store.log import read_log
from shared.event_store.mapper import About, Happening
from shared.event_store.routing_entries import Entries

TABLES = (
    "routing_seen",
    "routing_addresses",
    "routing_external",
    "routing_threads",
    "routing_topics",
    "routing_call_backs",
    "routing_auto_replies",
    "routing_merges",
    "routing_claims",
)


def standing(tx: Transaction) -> dict[str, list[Row]]:
    return {table: sorted(tx.rows(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


def derived(tx: Transaction) -> dict[str, list[Row]]:
    """Every event of the log taken in anew, in its order."""
    entries = Entries()
    for recorded in read_log(tx, 0, 1_000_000):
        if isinstance(recorded.event, e.InboundQuarantined):
            entries.seen[recorded.event.item_id] = None
        if isinstance(recorded.event, e.ReportHeld):
            entries.seen.setdefault(recorded.event.message_id, None)
        entries.add(Happening(recorded.event, About(recorded.occurred_at, recorded.actor, recorded.cause)))
    rows: dict[str, list[Any]] = {
        "routing_seen": [(str(i), str(c) if c else None) for i, c in (entries.seen | entries.moved).items()],
        "routing_addresses": [(*key, str(customer)) for key, customer in entries.addresses.items()],
        "routing_external": [
            (external_id, str(channel), str(place.conversation_id), str(place.customer_id))
            for external_id, places in entries.external.items()
            for channel, place in places
        ],
        "routing_call_backs": [(str(c), str(step), since) for step, (c, since) in entries.call_backs.items()],
        "routing_auto_replies": list(entries.auto_replies.items()),
        "routing_merges": [(str(i), str(m.into_id), str(m.merge_id)) for i, m in entries.merged.items() if m],
        "routing_claims": [(*key, slot, *by) for key, slots in entries.claims.items() for slot, by in slots.items()],
        "routing_topics": [
            (str(i), str(place.conversation_id), str(place.customer_id), at)
            for i, (place, at) in entries.topics.items()
        ],
        "routing_threads": [
            (str(channel), key, str(place.conversation_id), str(place.customer_id))
            for (channel, key), place in entries.threads.items()
        ],
    }
    return {table: sorted(found, key=repr) for table, found in rows.items()}
