"""The operators of this business: everybody sees who they are, admins invite and lock them and change their roles."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.context import Call, answer
from services.inbox_api.operators import shown
from services.inbox_api.short_lists import short, since
from shared.registry.operators import Operator, Role, WrongOperator
from shared.registry.team import Member, Team


class Invite(msgspec.Struct):
    """`name` empty: what stands before the @ of the address, until they give their own."""

    email: str
    role: Role = "operator"
    name: str = ""


class ChangeRole(msgspec.Struct):
    role: Role


async def everybody(call: Call) -> Response:
    """GET /operators: with `access`; for admins also when each signed in last."""
    members = await _team(call).all()
    return short(call, [(since(each.added_at, str(each.operator.id)), _item(call, each)) for each in members])


async def invite(call: Call) -> Response:
    """POST /operators {email, role, name}: the answer has the one-time link, which is never shown again."""
    call.only_admins()
    asked = await call.body(Invite)
    try:
        operator = await call.context.operators.add(asked.email, asked.role, asked.name)
    except WrongOperator as error:
        raise HTTPException(422, str(error)) from None
    return await _with_link(call, operator.id)


async def link(call: Call) -> Response:
    """POST /operators/{id}/link: a new one-time link, which also lets in again who was locked."""
    call.only_admins()
    return await _with_link(call, (await _one(call, call.id())).operator.id)


async def lock(call: Call) -> Response:
    """POST /operators/{id}/lock: password, sessions, tokens and links are void at once."""
    call.only_admins()
    member = await _one(call, call.id())
    if member.operator.id == call.operator.id:
        raise HTTPException(422, "nobody locks themselves: another admin does it")
    try:
        await _team(call).lock(member.operator.id)
    except WrongOperator as error:
        raise HTTPException(422, str(error)) from None
    return answer(_item(call, await _one(call, member.operator.id)))


async def change(call: Call) -> Response:
    """PATCH /operators/{id} {role}: from their next request on."""
    call.only_admins()
    member, asked = await _one(call, call.id()), await call.body(ChangeRole)
    if member.operator.id == call.operator.id:
        raise HTTPException(422, "nobody changes their own role: another admin does it")
    try:
        await _team(call).set_role(member.operator.id, asked.role)
    except WrongOperator as error:
        raise HTTPException(422, str(error)) from None
    return answer(_item(call, await _one(call, member.operator.id)))


async def at_work(call: Call, operator_id: UUID) -> Operator:
    """Return the operator to whom something is to be given. Raises 422 for nobody, and for who has no way in."""
    for member in await _team(call).all():
        if member.operator.id == operator_id:
            if member.access == "locked":
                raise HTTPException(422, "this operator is locked: choose somebody else")
            return member.operator
    raise HTTPException(422, "there is no such operator")


async def _with_link(call: Call, operator_id: UUID) -> Response:
    token = await call.context.operators.create_token(operator_id, "setup")
    setup = f"{call.context.public_url}/setup?token={token}"
    return answer({**_item(call, await _one(call, operator_id)), "setup": setup}, 201)


async def _one(call: Call, operator_id: UUID) -> Member:
    """Raises 404."""
    for member in await _team(call).all():
        if member.operator.id == operator_id:
            return member
    raise HTTPException(404)


def _item(call: Call, member: Member) -> dict[str, Any]:
    item = {**shown(member.operator), "access": member.access}
    return {**item, "signed_in_at": member.signed_in_at} if call.operator.role == "admin" else item


def _team(call: Call) -> Team:
    return Team(call.context.database)
