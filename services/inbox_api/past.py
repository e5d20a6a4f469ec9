"""Any past moment: what we knew then (recorded_at: what an operator saw), or what had happened by then (occurred_at).

Timelines are their table with an end. Customers and conversations are made of their streams' events up to then, by the
code that makes the present ones; lists find by an index which conversations there were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from services.inbox_api.channel_names import Body
from shared.database.protocol import Transaction
from shared.domain.events import Recorded
from shared.event_store.log import read_beginnings, read_log, read_streams
from shared.event_store.moments import position_at
from shared.read_models import apart, conversations, conversations_past, customers
from shared.read_models.moment import By, Moment, microseconds
from shared.read_models.past import tables_of

NOT_ASKED = ("timeline", "attachments", "apart", "causes")
BATCH = 1000
_NEARLY = timedelta(seconds=apart.LEAST_SECONDS)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listed:
    """Which conversations a list has; None: all."""

    status: str | None
    customer_id: UUID | None
    before: int | None
    limit: int


def moment_at(tx: Transaction, at: datetime, by: By) -> Moment:
    """Return the moment as the tables know it."""
    return Moment(position_at(tx, at), at if by == "happened" else None)


def conversation(tx: Transaction, conversation_id: UUID, at: datetime, by: By) -> Body | None:
    """Return a conversation as it stood; None when there was none yet."""
    return next(iter(_conversations(tx, [conversation_id], moment_at(tx, at, by))), None)


def customer(tx: Transaction, customer_id: UUID, at: datetime, by: By) -> Body | None:
    """Return a customer as it stood; None when it was not known yet."""
    moment = moment_at(tx, at, by)
    theirs = conversations.ids_of_customer(tx, customer_id)
    otherwise = _otherwise(tx, at, moment.position) if by == "happened" else set()
    whole = [id_ for id_ in theirs if str(id_) in otherwise]
    begun = read_beginnings(tx, [id_ for id_ in theirs if str(id_) not in otherwise])
    had = _known([*begun, *read_streams(tx, whole)], moment)
    own = _known(read_streams(tx, [customer_id]), moment, keep_first=bool(had))
    events = sorted([*own, *had], key=lambda recorded: recorded.position)
    with tables_of(events, NOT_ASKED) as past:
        return customers.customer(past, customer_id)


def page(tx: Transaction, wanted: Listed, at: datetime, by: By) -> list[Body]:
    """Return a page of the list of conversations as it stood, the one changed last first."""
    moment = moment_at(tx, at, by)
    if wanted.customer_id is not None:
        theirs = conversations.ids_of_customer(tx, wanted.customer_id)
        return _first(_conversations(tx, theirs, moment), wanted)
    otherwise = _otherwise(tx, at, moment.position) if by == "happened" else set()
    ids = [UUID(version.conversation_id) for version in _versions(tx, wanted, moment, otherwise)]
    found = _conversations(tx, ids, Moment(moment.position))
    for start in range(0, len(some := sorted(otherwise)), BATCH):
        part = [UUID(id_) for id_ in some[start : start + BATCH]]
        found = _first(found + _conversations(tx, part, moment), wanted)
    return _first(found, wanted)


def _versions(tx: Transaction, wanted: Listed, moment: Moment, without: set[str]) -> list[conversations_past.Version]:
    """Return the page's conversations as we knew them, without those that had happened otherwise."""
    found: list[conversations_past.Version] = []
    before = wanted.before
    while len(found) < wanted.limit:
        some = conversations_past.page(tx, wanted.status, moment.position, before, wanted.limit)
        found += [version for version in some if version.conversation_id not in without]
        if len(some) < wanted.limit:
            break
        before = some[-1].position
    return found[: wanted.limit]


def _otherwise(tx: Transaction, at: datetime, known: int) -> set[str]:
    """Return the conversations of which, at a moment, not the same was known as had happened.

    `known`: the position the log had then. What is nearly the same on both clocks is looked for in the log around it.
    """
    found = apart.conversations_apart(tx, microseconds(at))
    position = position_at(tx, max(at, _FIRST + _NEARLY) - _NEARLY)
    end = position_at(tx, min(at, _LAST - _NEARLY) + _NEARLY)
    while position < end and (events := read_log(tx, position, BATCH)):
        for recorded in events:
            event: Any = recorded.event
            differs = (recorded.position <= known) != (recorded.occurred_at <= at)
            if differs and recorded.position <= end and getattr(event, "conversation_id", None):
                found.add(str(event.conversation_id))
        position = events[-1].position
    return found


def _conversations(tx: Transaction, ids: Sequence[UUID], moment: Moment) -> list[Body]:
    """Return conversations as they stood, those that there were, the one changed last first."""
    events = _known(read_streams(tx, ids, _end(moment)), moment)
    happened: list[Any] = [recorded.event for recorded in events]
    owners = list({event.customer_id for event in happened})
    theirs = _known(read_streams(tx, owners, _end(moment)), moment, keep_first=True)
    everything = sorted([*events, *theirs], key=lambda recorded: recorded.position)
    with tables_of(everything, NOT_ASKED) as past:
        return conversations.page(past, None, None, None, max(1, len(ids)))


def _end(moment: Moment) -> int | None:
    """What had happened may have been recorded later."""
    return moment.position if moment.happened_until is None else None


def _known(events: Sequence[Recorded], moment: Moment, keep_first: bool = False) -> list[Recorded]:
    """Return what was known, or had happened, by then.

    What a stream begins with is kept with it: a message that was said before the one that opened its conversation
    stands in that conversation all the same.
    """
    at = moment.happened_until
    if at is None:
        return [recorded for recorded in events if recorded.position <= moment.position]
    had_happened = {recorded.stream_id for recorded in events if recorded.occurred_at <= at}
    return [
        recorded
        for recorded in events
        if recorded.occurred_at <= at or (recorded.version == 1 and (keep_first or recorded.stream_id in had_happened))
    ]


def _first(found: Sequence[Body], wanted: Listed) -> list[Body]:
    """Return those of a page, the one changed last first."""
    fits = (
        body
        for body in sorted(found, key=lambda body: -int(body["position"]))
        if (wanted.status is None or body["status"] == wanted.status)
        and (wanted.before is None or body["position"] < wanted.before)
    )
    return list(islice(fits, wanted.limit))
