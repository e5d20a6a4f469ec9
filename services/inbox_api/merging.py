"""Customers who are one person: merged and un-merged by operators, and the suggestions to do so."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.channel_names import Body
from services.inbox_api.context import Call, answer, listed
from services.inbox_api.customers import current
from services.inbox_api.short_lists import short
from shared.database.protocol import Transaction
from shared.domain.errors import Refused
from shared.event_store import merging
from shared.event_store.session import Session
from shared.read_models import conversations, customers, groups, suggestions


class MergeInto(msgspec.Struct):
    into: UUID


class Unmerge(msgspec.Struct):
    customer: UUID


class Accept(msgspec.Struct):
    """`into`: which of the two stands for both; null: the one we have known longer."""

    into: UUID | None = None


async def merge(call: Call) -> Response:
    """POST /customers/{id}/merge {into}: the customer is shown as one with `into`, whom it answers with."""
    asked = await call.body(MergeInto)
    about = call.about()

    def decide(session: Session, tx: Transaction) -> None:
        merging.merge(session, tx, call.id(), asked.into, about)

    await call.record(decide)
    return answer(await _customer(call, asked.into))


async def unmerge(call: Call) -> Response:
    """POST /customers/{id}/unmerge {customer}: take a member out of the group; answers with what is left of it."""
    asked = await call.body(Unmerge)
    about = call.about()

    def decide(session: Session, tx: Transaction) -> None:
        if conversations.are_merged_across(tx, [str(asked.customer), *groups.below(tx, str(asked.customer))]):
            raise Refused("conversations_merged", "Conversations of the two are merged: take those apart first")
        merging.unmerge(session, tx, call.id(), asked.customer, about)

    await call.record(decide)
    return answer(await _customer(call, call.id()))


async def of_customer(call: Call) -> Response:
    """GET /customers/{id}/suggestions: who else may be this customer, and why."""
    found = await call.context.database.read(partial(_suggestions, customer_id=call.id()))
    if found is None:
        raise HTTPException(404)
    return short(call, [((each["position"], ""), each) for each in found], newest_first=True)


async def list_(call: Call) -> Response:
    """GET /suggestions: all that wait for a decision, the newest first."""
    limit = call.limit()
    items = await call.context.database.read(partial(suggestions.page, before=call.cursor(), limit=limit))
    return listed(items, limit)


async def accept(call: Call) -> Response:
    """POST /suggestions/{id}/accept {into?}: merge the two; answers with the customer they are."""
    asked = await call.body(Accept)
    about, stands = call.about(), list[UUID]()

    def decide(session: Session, tx: Transaction) -> None:
        stands[:] = [merging.accept(session, tx, call.id(), asked.into, about)]

    await call.record(decide)
    return answer(await _customer(call, stands[0]))


async def refuse(call: Call) -> Response:
    """POST /suggestions/{id}/refuse: they are two; the pair is never suggested again."""
    about = call.about()

    def decide(session: Session, tx: Transaction) -> None:
        merging.refuse(session, tx, call.id(), about)

    await call.record(decide)
    return Response(status_code=204)


async def _customer(call: Call, customer_id: UUID) -> Body:
    found = await call.context.database.read(partial(current, customer_id=customer_id))
    if found is None:
        raise HTTPException(503, "It is recorded, but cannot be shown yet.", {"Retry-After": "5"})
    return found


def _suggestions(tx: Transaction, customer_id: UUID) -> list[Body] | None:
    if customers.customer(tx, customer_id) is None:
        return None
    return suggestions.of_customer(tx, groups.root(tx, customer_id))
