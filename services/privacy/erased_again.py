"""Who was erased stays erased, also when an older copy of what was said of them comes back."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store.log import LAST_POSITION
from shared.event_store.log_streams import read_streams_window
from shared.registry import erasures

BY = "restore"


def erase_again(tx: Transaction, erased: Sequence[UUID]) -> int:
    """Ask for the erasure of those whom the log does not know to be erased, unless it is asked for."""
    asked, under_way = 0, {erasure.subject_id for erasure in erasures.unfinished(tx)}
    for customer_id in set(erased) - under_way:
        found = read_streams_window(tx, [customer_id], 0, LAST_POSITION, LAST_POSITION, pass_over=True)
        events = [recorded.event for recorded in found]
        if events and not any(isinstance(event, e.CustomerErased) for event in events):
            erasures.add(tx, "customer", customer_id, None, "erased after the backup that was restored", BY)
            asked += 1
    return asked
