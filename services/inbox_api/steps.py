"""Next steps: what is due with a customer, when, by whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api import team
from services.inbox_api.context import Call, answer, listed, time_of
from shared.clock import from_text, now, to_text
from shared.database.protocol import Transaction
from shared.domain import commands as c
from shared.read_models import customers, groups, steps
from shared.registry.operators import Operator

STATES = ("planned", "done", "declined", "all")


class PlanStep(msgspec.Struct):
    customer_id: UUID
    what: str
    due_at: datetime
    id: UUID | None = None
    conversation_id: UUID | None = None
    operator_id: UUID | None = None
    note: str = ""


class EndStep(msgspec.Struct):
    note: str = ""


class PostponeStep(msgspec.Struct):
    due_at: datetime


async def list_(call: Call) -> Response:
    """GET /steps?state=planned|done|declined|all&customer_id=&operator_id=&today_until=

    Planned ones come by their due time, the most urgent first, with counts of those overdue, due until `today_until`
    (the end of the day where the operator is; else of the day in UTC) and later; others the one changed last first.
    """
    state = call.request.query_params.get("state", "planned")
    if state not in STATES:
        raise HTTPException(422, f"state must be one of {', '.join(STATES)}")
    wanted = steps.Wanted(None if state == "all" else state, call.query_id("customer_id"), call.query_id("operator_id"))
    if state == "planned":
        return await _planned(call, wanted)
    limit = call.limit()
    page = partial(steps.page, wanted=wanted, before=call.cursor(), limit=limit)
    items = await call.context.database.read(page)
    return listed(await _with_operators(call, items), limit)


async def _planned(call: Call, wanted: steps.Wanted) -> Response:
    limit, after, today_until = call.limit(), _after(call), _today_until(call)

    def read(tx: Transaction) -> tuple[list[dict[str, Any]], dict[str, int]]:
        return steps.by_due(tx, wanted, after, limit), steps.counts(tx, wanted, to_text(now()), today_until)

    items, counts = await call.context.database.read(read)
    following = f"{items[-1]['due_at']}_{items[-1]['id']}" if len(items) == limit else None
    return answer({"items": await _with_operators(call, items), "next": following, "counts": counts})


async def _with_operators(call: Call, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    everybody = {str(operator.id): operator for operator in await call.context.operators.all()}
    return [_shown(item, everybody) for item in items]


def _after(call: Call) -> steps.Due | None:
    """The cursor of a list by due time: the time and the id of its last step."""
    text = call.request.query_params.get("cursor")
    if not text:
        return None
    at, _, id_ = text.partition("_")
    try:
        return steps.Due(to_text(from_text(at)), str(UUID(id_)))
    except (ValueError, OverflowError):
        raise HTTPException(422, "cursor must be the `next` of an earlier page") from None


def _today_until(call: Call) -> str:
    if text := call.request.query_params.get("today_until"):
        return to_text(from_text(time_of(text, "today_until")))
    return to_text(now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1))


async def plan(call: Call) -> Response:
    """POST /steps: the same id twice is one step."""
    asked = await call.body(PlanStep)
    _check_zone(asked.due_at)
    if await call.context.database.read(partial(customers.customer, customer_id=asked.customer_id)) is None:
        raise HTTPException(422, "there is no such customer")
    customer_id = await _whose(call, asked)
    if asked.operator_id is not None:
        await team.at_work(call, asked.operator_id)
    step_id = asked.id or uuid4()
    head = (step_id, customer_id, asked.conversation_id, asked.what)
    return await _handle(call, step_id, c.PlanStep(*head, asked.due_at, asked.operator_id, asked.note), 201)


async def done(call: Call) -> Response:
    return await _handle(call, call.id(), c.EndStep("done", (await call.body(EndStep)).note))


async def decline(call: Call) -> Response:
    return await _handle(call, call.id(), c.EndStep("declined", (await call.body(EndStep)).note))


async def postpone(call: Call) -> Response:
    asked = await call.body(PostponeStep)
    _check_zone(asked.due_at)
    return await _handle(call, call.id(), c.PostponeStep(asked.due_at))


async def _handle(call: Call, step_id: UUID, command: c.StepCommand, status: int = 200) -> Response:
    handled = await call.context.store.handle_step(step_id, command, call.actor)
    await call.context.views.reach(handled.position)
    found = await call.context.database.read(partial(steps.step, step_id=step_id))
    if found is None:
        raise HTTPException(503, "It is recorded, but cannot be shown yet.", {"Retry-After": "5"})
    everybody = {str(operator.id): operator for operator in await call.context.operators.all()}
    return answer(_shown(found, everybody), status)


async def _whose(call: Call, asked: PlanStep) -> UUID:
    """Return whose the step is: of customers who are merged, that of the conversation it was planned in."""
    if asked.conversation_id is None:
        return asked.customer_id
    state = await call.context.store.conversation(asked.conversation_id)
    whose = await call.context.database.read(partial(groups.members, customer_id=asked.customer_id))
    if state.customer_id is None or str(state.customer_id) not in whose:
        raise HTTPException(422, "this customer has no such conversation")
    return state.customer_id


def _check_zone(at: datetime) -> None:
    if at.tzinfo is None:
        raise HTTPException(422, "due_at needs a time zone, such as Z")
    to_text(at)


def _shown(step: dict[str, Any], operators: dict[str, Operator]) -> dict[str, Any]:
    operator_id = step.pop("operator_id")
    operator = operators.get(operator_id or "")
    step["operator"] = {"id": operator_id, "name": operator.name if operator else ""} if operator_id else None
    return step
