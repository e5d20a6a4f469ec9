"""Which events of the log somebody wants: by type, by customer, by when they were recorded; read page by page.

A customer is looked up in the read models, so of a customer nothing is told before the read models have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import cast
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain.events import Recorded
from shared.domain.unreadable import Unreadable
from shared.event_store.log import head, read_window
from shared.event_store.log_streams import read_streams_window
from shared.event_store.moments import position_before
from shared.read_models import conversations, groups, live, steps

WINDOW = 100_000
"""Positions that are looked through for one page: rare events must not make a request endless."""
CLOCKS = timedelta(hours=1)
"""How far the clocks of two recording processes may be apart for --since and --until to be exact."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`names`: stored names, none for every type. `since` and `until` are times of recording, `until` is left out.

    `pass_over`: leave out and name what cannot be read; else that raises EventUnreadable.
    """

    names: tuple[str, ...] = ()
    customer_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    pass_over: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order. Up to `until` none is left out; `more`: the log goes on behind it.

    `left_out`: in words, which were passed over and why.
    """

    events: Sequence[Recorded]
    until: int
    more: bool
    left_out: Sequence[str] = ()


def bounds(tx: Transaction, wanted: Selection) -> tuple[int, int]:
    """Return the position after which to begin and the one at which to end, as the log is now."""
    end = _end(tx, wanted)
    first = position_before(tx, _moved(wanted.since, -CLOCKS)) if wanted.since else 0
    return first, min(end, position_before(tx, _moved(wanted.until, CLOCKS))) if wanted.until else end


def page(tx: Transaction, wanted: Selection, after: int, limit: int, until: int | None = None) -> Page:
    """Return up to `limit` events after a position. `until`: where to end instead of at the log's present end."""
    end = _end(tx, wanted) if until is None else until
    reach = end if wanted.customer_id or not wanted.names else min(end, after + WINDOW)
    if wanted.customer_id is None:
        events = read_window(tx, after, reach, limit, wanted.names, pass_over=wanted.pass_over)
    else:
        streams = _streams(tx, wanted.customer_id)
        events = read_streams_window(tx, streams, after, reach, limit, wanted.names, pass_over=wanted.pass_over)
    reached = events[-1].position if len(events) == limit else max(after, reach)
    found = [each for each in events if is_wanted(each.recorded_at, wanted)]
    unreadable = [event for each in found if isinstance(event := cast("object", each.event), Unreadable)]
    if unreadable:
        found = [each for each in found if not isinstance(each.event, Unreadable)]
    return Page(found, reached, reached < end, tuple(each.why for each in unreadable))


def _moved(at: datetime, by: timedelta) -> datetime:
    """The first hour of the year 1 and the last of 9999 stay what they are: nothing is before or after them."""
    try:
        return at + by
    except OverflowError:
        return at


def _end(tx: Transaction, wanted: Selection) -> int:
    return head(tx) if wanted.customer_id is None else min(head(tx), live.position(tx))


def _streams(tx: Transaction, customer_id: UUID) -> list[UUID]:
    """Of all who are shown as one with the customer, as on the timeline."""
    whose = [UUID(id_) for id_ in groups.members(tx, customer_id)]
    own = (conversations.ids_of_customer, steps.ids_of_customer)
    return [*whose, *(id_ for member in whose for ids_of in own for id_ in ids_of(tx, member))]


def is_wanted(recorded_at: datetime, wanted: Selection) -> bool:
    """Return whether something recorded then is between `since` and `until`."""
    return (wanted.since is None or recorded_at >= wanted.since) and (
        wanted.until is None or recorded_at < wanted.until
    )


def times(wanted: Selection) -> Callable[[datetime], bool] | None:
    """Return `is_wanted` of a selection, None where it takes whatever was recorded when."""
    return partial(is_wanted, wanted=wanted) if wanted.since or wanted.until else None
