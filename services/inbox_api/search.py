"""GET /search?q=: everything that was said and everybody who said it, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.channel_names import Body, with_channels
from services.inbox_api.context import Call, answer, id_of, time_of
from shared.clock import from_text, to_text
from shared.database.protocol import Transaction
from shared.event_store.log import head
from shared.read_models import groups, live
from shared.read_models.search_results import Filters, Page, search
from shared.read_models.search_words import QUERY_CHARACTERS, Query, parse

KINDS = ("text", "form", "call", "note", "customer", "quarantine")
CUSTOMERS = 50
QUERY = ("q", "kind", "channel_id", "customer_id", "since", "until")


@dataclass(frozen=True, slots=True)
class _Found:
    page: Page
    behind: int


async def search_(call: Call) -> Response:
    """`customer_id` may be several with commas, and each stands for all who are shown as one with them.

    `behind`: log positions that the index does not contain yet.
    """
    text = call.request.query_params.get("q", "")
    if len(text) > QUERY_CHARACTERS:
        raise HTTPException(422, f"q may have {QUERY_CHARACTERS} characters")
    job = partial(_search, query=parse(text), filters=_filters(call), before=call.cursor(), limit=call.limit())
    found = await call.context.database.read(job)
    following = found.page.following
    return answer(
        {
            "items": found.page.items,
            "next": str(following) if following is not None else None,
            "behind": found.behind,
        }
    )


def _search(tx: Transaction, query: Query, filters: Filters, before: int | None, limit: int) -> _Found:
    page = search(tx, query, replace(filters, customers=_together(tx, filters.customers)), before, limit)
    groups.as_one(tx, [item for item in page.items if item["customer_id"]])
    names = _customers(tx, {item["customer_id"] for item in page.items if item["customer_id"]})
    for item in page.items:
        item["customer"] = names.get(item["customer_id"])
    behind = max(0, head(tx) - live.standings(tx, names=["search"])["search"].position)
    return _Found(Page(with_channels(tx, page.items), page.following), behind)


def _together(tx: Transaction, asked: Sequence[UUID]) -> tuple[UUID, ...]:
    return tuple({UUID(member): None for id_ in asked for member in groups.members(tx, id_)})


def _customers(tx: Transaction, ids: set[str]) -> dict[str, Body]:
    rows = tx.rows_in("SELECT id, name, address FROM customers WHERE id", sorted(ids))
    return {id_: {"id": id_, "name": name or None, "address": address} for id_, name, address in rows}


def _filters(call: Call) -> Filters:
    asked = call.request.query_params
    kind = asked.get("kind", "")
    if kind and kind not in KINDS:
        raise HTTPException(422, f"kind must be one of {', '.join(KINDS)}")
    customers = tuple(id_of(text, "customer_id") for text in asked.get("customer_id", "").split(",") if text)
    if len(customers) > CUSTOMERS:
        raise HTTPException(422, f"customer_id may be {CUSTOMERS} at most")
    channel_id = call.query_id("channel_id")
    return Filters(kind, channel_id, customers, _time(asked, "since"), _time(asked, "until"))


def _time(asked: Any, name: str) -> str:
    text = asked.get(name, "")
    return to_text(from_text(time_of(text, name))) if text else ""
