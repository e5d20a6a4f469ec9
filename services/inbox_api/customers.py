"""Customers, now and at any past moment."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api import cards, moments, past
from services.inbox_api.channel_names import with_channels
from services.inbox_api.context import Call, answer, listed
from shared.database.protocol import Transaction
from shared.read_models import customers, groups, reach
from shared.read_models.entries import Body
from shared.read_models.search_results import Filters, search
from shared.read_models.search_words import KEY, QUERY_CHARACTERS, Query, Wanted, parse


async def list_(call: Call) -> Response:
    """GET /customers?q=&limit=&cursor=, the newest first; `q`: those whose names or addresses have these words."""
    limit, text = call.limit(), call.request.query_params.get("q", "").strip()
    if len(text) > QUERY_CHARACTERS:
        raise HTTPException(422, f"q may have {QUERY_CHARACTERS} characters")
    if text:
        found = partial(_found, query=parse(text), before=call.cursor(), limit=limit)
        items, following = await call.context.database.read(found)
        return answer({"items": items, "next": None if following is None else str(following)})
    return listed(await call.context.database.read(partial(_page, before=call.cursor(), limit=limit)), limit)


async def one(call: Call) -> Response:
    """GET /customers/{id}?as_of=&by=, now or as it stood."""
    then = moments.as_of(call)
    if then is None:
        job = partial(_customer, customer_id=call.id())
    else:
        job = partial(_past, customer_id=call.id(), then=then)
    found = await call.context.database.read(job)
    if found is None:
        raise HTTPException(404)
    return answer(found | {"card": await cards.named(call, found["card"])})


def current(tx: Transaction, customer_id: UUID) -> Body | None:
    """Return a customer as they are shown now, without the card."""
    found = customers.customer(tx, customer_id)
    return found and _named(tx, [reach.with_blocks(found, reach.blocks(tx, reach.members(found)))])[0]


def _customer(tx: Transaction, customer_id: UUID) -> Body | None:
    found = current(tx, customer_id)
    return found and found | {"card": cards.card_in(tx, UUID(found["id"]))}


def _past(tx: Transaction, customer_id: UUID, then: moments.AsOf) -> Body | None:
    found = past.customer(tx, customer_id, then.at, then.by)
    return None if found is None else _named(tx, [found])[0]


def _page(tx: Transaction, before: int | None, limit: int) -> list[Body]:
    return _with_blocks(tx, customers.page(tx, before, limit))


def _with_blocks(tx: Transaction, found: list[Body]) -> list[Body]:
    blocks = reach.blocks(tx, [id_ for each in found for id_ in reach.members(each)])
    return _named(tx, [reach.with_blocks(each, blocks) for each in found])


def _found(tx: Transaction, query: Query, before: int | None, limit: int) -> tuple[list[Body], int | None]:
    """Return a page of customers who are found, each by whoever stands for them, and where the next one begins."""
    ids: list[UUID] = []
    following = before
    while True:
        page = search(tx, query, Filters(kind="customer"), following, limit - len(ids))
        is_whole = len(page.items) == limit - len(ids)
        ids += [UUID(item["customer_id"]) for item in _once(tx, query, page.items)]
        following = page.following
        if following is None or len(ids) == limit or not is_whole:
            return _with_blocks(tx, customers.some(tx, ids)), following


def _once(tx: Transaction, query: Query, items: list[Body]) -> list[Body]:
    """Return those but whoever is shown already, on this page or one before: as one with somebody newer."""
    ids = [item["customer_id"] for item in items]
    roots = {id_: id_ for id_ in ids} | groups.roots(tx, ids)
    merged = groups.merges(tx, sorted(set(roots.values())))
    newest = {root: _newest(tx, query, root, [each["id"] for each in below]) for root, below in merged.items()}
    return [item for item in items if newest.get(roots[item["customer_id"]], item["position"]) == item["position"]]


def _newest(tx: Transaction, query: Query, root: str, below: list[str]) -> int:
    """Asked by the words of their own entries: what they wrote may be more than one request looks at."""
    entries = tuple((Wanted(KEY + UUID(id_).hex),) for id_ in (root, *below))
    own = Query((*query.terms, entries), query.phrases)
    position: int = search(tx, own, Filters(kind="customer"), None, 1).items[0]["position"]
    return position


def _named(tx: Transaction, found: list[Body]) -> list[Body]:
    if blocks := list(reach.all_blocks(found)):
        with_channels(tx, blocks)
    return found
