"""Signing in and out, the first operator's one-time link, and the list of operators."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.inbox_api.context import Call, Context, answer, read_body, short
from services.inbox_api.session import end_session, start_session
from shared.registry.operators import Operator, TooManyPasswords, WrongOperator

WRONG_PASSWORD_SECONDS = 0.5


class SetUp(msgspec.Struct):
    token: str
    email: str
    password: str
    name: str = ""


class SignIn(msgspec.Struct):
    email: str
    password: str


def shown(operator: Operator) -> dict[str, Any]:
    return {
        "id": str(operator.id),
        "email": operator.email,
        "name": operator.name,
        "role": operator.role,
        "language": operator.language,
    }


async def set_up(request: Request, context: Context) -> Response:
    """Use the one-time link and sign in."""
    _refuse_foreign(request)
    asked = await read_body(request, SetUp)
    try:
        operator = await context.operators.set_up(asked.token, asked.email, asked.name, asked.password)
    except WrongOperator as error:
        raise HTTPException(422, str(error)) from None
    except TooManyPasswords:
        raise _too_many() from None
    return await start_session(request, answer(shown(operator), 201), context, operator)


async def sign_in(request: Request, context: Context) -> Response:
    _refuse_foreign(request)
    asked = await read_body(request, SignIn)
    try:
        operator = await context.operators.sign_in(asked.email, asked.password)
    except TooManyPasswords:
        raise _too_many() from None
    if operator is None:
        await asyncio.sleep(WRONG_PASSWORD_SECONDS)
        raise HTTPException(401, "the e-mail address or the password is wrong")
    return await start_session(request, answer(shown(operator)), context, operator)


def _refuse_foreign(request: Request) -> None:
    """No page of another site signs anybody in as somebody else, who would then read what they write."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise HTTPException(403, "sign in on a page of this server")


def _too_many() -> HTTPException:
    return HTTPException(429, "too many are signing in at this moment", {"Retry-After": "2"})


async def sign_out(call: Call) -> Response:
    return await end_session(call.request, Response(status_code=204), call.context)


async def current(call: Call) -> Response:
    return answer(shown(call.operator))


async def everybody(call: Call) -> Response:
    return short(call, [shown(operator) for operator in await call.context.operators.all()])
