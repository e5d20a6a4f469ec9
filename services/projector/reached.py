"""Whether a client was reached after a moment: asked when a missed call is told of, which may be long after it rang."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.domain.next_step import reached, taken
from shared.event_store.groups import group_of
from shared.event_store.log_streams import read_newest
from shared.event_store.session import Session

CLOCKS_DIFFER = timedelta(minutes=5)
"""What was recorded so much before a moment by our clock has not happened after it by the channel's."""
PAGE = 100
_LOW = (1 << 64) - 1
_END = 1 << 62
_TYPES = ("MessageReceived", "MessageExtended", "CallProgressed")
Said = tuple[object, datetime]


def was_reached(session: Session, tx: Transaction, customer_id: UUID, since: datetime) -> bool:
    """Return whether the client reached us, or we them, after `since`: in this batch or in what is recorded.

    By the channel's clock, which connectors hold to the moment of arrival, and here to ours. So a clock that is ahead
    never makes a call-back superfluous; one that is behind leaves one open that was not needed, until they are reached.
    Whoever is shown as one with them is the same person.
    """
    whose = group_of(session, tx, customer_id)
    now = ((happening.event, happening.about.occurred_at) for _, _, happening in session.appended)
    for said in (now, *(_recorded(tx, id_, since) for id_ in whose)):
        for event, occurred_at in said:
            if occurred_at > since and _reaches(event, whose):
                return True
    return False


def _reaches(event: object, whose: Collection[UUID]) -> bool:
    match event:
        case e.MessageReceived():
            return event.customer_id in whose and reached(event, event.call)
        case e.MessageExtended():
            return event.customer_id in whose and reached(event.message, None)
        case e.CallProgressed():
            return event.customer_id in whose and taken(event.call)
    return False


def _recorded(tx: Transaction, customer_id: UUID, since: datetime) -> Iterator[Said]:
    """Yield what was recorded since, the last one first: a conversation's id begins like its customer's."""
    streams, before = (UUID(int=customer_id.int & ~_LOW), UUID(int=customer_id.int | _LOW)), _END
    while events := read_newest(tx, streams, _TYPES, before, PAGE):
        for recorded in events:
            if recorded.recorded_at < since - CLOCKS_DIFFER:
                return
            yield recorded.event, min(recorded.occurred_at, recorded.recorded_at)
        before = events[-1].position
