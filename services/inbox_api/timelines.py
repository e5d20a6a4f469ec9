"""A customer's timeline: filtered, paged, now and as of any past moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api import moments
from services.inbox_api.channel_names import Body, with_channels
from services.inbox_api.context import Call, listed
from services.inbox_api.past import members_at, moment_at
from services.inbox_api.tries import with_tries
from shared.database.protocol import Transaction
from shared.event_store.moments import position_at, position_before
from shared.read_models import customers
from shared.read_models import timeline as timelines
from shared.read_models.facets import AUTHORS, Filter
from shared.read_models.moment import By, microseconds
from shared.read_models.timeline_pages import Page, Wanted
from shared.registry.channels import channel_names

MOST_VALUES = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a timeline: `channels` are ids or kinds of channels; times go by the clock of `by`."""

    kinds: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    by: By = "known"
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None


async def timeline(call: Call) -> Response:
    """GET /customers/{id}/timeline?as_of=&by=&kind=&channel=&author=&since=&until=&order=asc|desc

    The oldest first unless asked otherwise. Several kinds, channels, authors: with commas.
    """
    asked = Asked(
        _values(call, "kind"),
        _values(call, "channel"),
        _authors(call),
        moments.by(call),
        moments.time(call, "since"),
        moments.time(call, "until"),
        moments.time(call, "as_of"),
    )
    page = Page(call.limit(), call.cursor(), call.descending())
    items = await call.context.database.read(partial(entries, customer_id=call.id(), page=page, asked=asked))
    if not items and not await call.context.database.read(partial(customers.customer, customer_id=call.id())):
        raise HTTPException(404)
    return listed(items, page.limit)


def entries(tx: Transaction, customer_id: UUID, page: Page, asked: Asked) -> list[Body]:
    """Return a page of the timeline of a customer and all who are, or were then, shown as one with them."""
    wanted = _wanted(tx, asked)
    members = members_at(tx, customer_id, wanted.moment)
    found = with_channels(tx, timelines.of_group(tx, members, page, wanted))
    return found if asked.as_of else with_tries(tx, found)


def _wanted(tx: Transaction, asked: Asked) -> Wanted:
    channels = _channel_ids(tx, asked.channels) if asked.channels else None
    moment = moment_at(tx, asked.as_of, asked.by) if asked.as_of else None
    filter_ = Filter(asked.kinds, channels, asked.authors)
    if asked.by == "happened":
        since, until = (microseconds(at) if at else None for at in (asked.since, asked.until))
    else:
        since = position_before(tx, asked.since) + 1 if asked.since else None
        until = position_at(tx, asked.until) if asked.until else None
    return Wanted(filter_, asked.by, since, until, moment)


def _channel_ids(tx: Transaction, wanted: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(id_ for id_, (kind, _) in channel_names(tx).items() if id_ in wanted or kind in wanted)


def _values(call: Call, name: str) -> tuple[str, ...]:
    values = tuple(filter(None, call.request.query_params.get(name, "").split(",")))
    if len(values) > MOST_VALUES:
        raise HTTPException(422, f"{name} may have {MOST_VALUES} values")
    return values


def _authors(call: Call) -> tuple[str, ...]:
    values = _values(call, "author")
    for value in values:
        if value not in AUTHORS and not _is_uuid(value):
            raise HTTPException(422, f"author must be {', '.join(AUTHORS)} or the id of an operator")
    return values


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
