"""Erasing customers, holds and retention rules: for admins, who confirm what cannot be undone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, TypeVar
from uuid import UUID

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.context import Call, answer
from services.inbox_api.short_lists import short, since
from shared.database.protocol import Transaction
from shared.domain.errors import Refused
from shared.read_models import customers, groups
from shared.registry import erasures

T = TypeVar("T")


class Erase(msgspec.Struct):
    """`confirm`: the customer's id once more."""

    confirm: UUID
    reason: str = ""


class Hold(msgspec.Struct):
    kind: Literal["customer", "channel"]
    subject_id: UUID
    reason: str


class Rule(msgspec.Struct):
    """`days` null: keep for ever."""

    days: int | None


async def erase(call: Call) -> Response:
    """POST /customers/{id}/erase: answers at once, `GET /erasures/{id}` tells how far it is."""
    _admin(call)
    asked = await call.body(Erase)
    if asked.confirm != call.id():
        raise Refused("not_confirmed", "`confirm` must be the id of the customer: an erasure cannot be undone")
    members = await call.context.database.read(partial(_members, customer_id=call.id()))
    if not members:
        raise HTTPException(404)
    job = partial(
        erasures.request, customer_id=call.id(), reason=asked.reason, by=call.operator.email, members=members
    )  # fmt: skip
    id_ = await _write(call, job)
    return await _one(call, id_, 202)


async def list_(call: Call) -> Response:
    _admin(call)
    found = await call.context.database.read(erasures.everything)
    items = [(since(each.requested_at, str(each.id)), each.shown()) for each in found]
    return short(call, items, newest_first=True)


async def one(call: Call) -> Response:
    _admin(call)
    return await _one(call, call.id())


async def holds(call: Call) -> Response:
    _admin(call)
    found = await call.context.database.read(erasures.holds)
    return short(call, [(since(each["set_at"], each["id"]), each) for each in found], newest_first=True)


async def hold(call: Call) -> Response:
    """POST /holds: keep a customer or a channel from being erased, with the reason."""
    _admin(call)
    asked = await call.body(Hold)
    if not await call.context.database.read(partial(_is_there, asked=asked)):
        raise HTTPException(404, f"there is no such {asked.kind}: nothing would be held")
    job = partial(
        erasures.hold, kind=asked.kind, subject_id=asked.subject_id, reason=asked.reason, by=call.operator.email
    )
    return answer({"id": str(await _write(call, job))}, 201)


async def release(call: Call) -> Response:
    _admin(call)
    await _write(call, partial(erasures.release, id_=call.id(), by=call.operator.email))
    return Response(status_code=204)


async def rules(call: Call) -> Response:
    _admin(call)
    found = await call.context.database.read(erasures.rules)
    return short(call, [(since(each["set_at"], each["channel_id"]), each) for each in found])


async def set_rule(call: Call) -> Response:
    """POST /retention/{id} {days}."""
    _admin(call)
    asked, channel_id = await call.body(Rule), call.id()
    if await call.context.database.read(partial(_has_channel, channel_id=channel_id)) is None:
        raise HTTPException(404)
    if asked.days is None:
        await _write(call, partial(erasures.remove_rule, channel_id=channel_id))
    else:
        await _write(call, partial(erasures.set_rule, channel_id=channel_id, days=asked.days, by=call.operator.email))
    return await rules(call)


async def _one(call: Call, id_: UUID, status: int = 200) -> Response:
    found = await call.context.database.read(partial(erasures.one, id_=id_))
    if found is None:
        raise HTTPException(404)
    return answer(found.shown(), status)


async def _write(call: Call, job: Callable[[Transaction], T]) -> T:
    try:
        return await call.context.database.write(job)
    except erasures.Held as error:
        raise Refused("held", str(error)) from None
    except erasures.WrongErasure as error:
        raise HTTPException(422, str(error)) from None


def _members(tx: Transaction, customer_id: UUID) -> list[UUID]:
    """Return all who are shown as one with a customer; none when there is no such customer."""
    if customers.customer(tx, customer_id) is None:
        return []
    return [UUID(id_) for id_ in groups.members(tx, customer_id)]


def _is_there(tx: Transaction, asked: Hold) -> bool:
    there = _has_channel if asked.kind == "channel" else customers.customer
    return there(tx, asked.subject_id) is not None


def _has_channel(tx: Transaction, channel_id: UUID) -> object:
    return tx.row("SELECT 1 FROM channels WHERE id = ?", (str(channel_id),))


def _admin(call: Call) -> None:
    if call.operator.role != "admin":
        raise HTTPException(403, "only admins erase")
