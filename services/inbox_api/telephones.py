"""An operator's own telephone: asked for once, then rung by every click to call."""

from __future__ import annotations

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.context import Call, answer
from shared.registry.telephones import Telephones, WrongTelephone


class Telephone(msgspec.Struct):
    """Empty: none."""

    telephone: str


async def own(call: Call) -> Response:
    """GET /session/telephone: where this operator is rung."""
    return answer({"telephone": await Telephones(call.context.database).of(call.operator.id)})


async def keep(call: Call) -> Response:
    """POST /session/telephone {telephone}: a number or an extension of the PBX."""
    asked = await call.body(Telephone)
    try:
        kept = await Telephones(call.context.database).keep(call.operator.id, asked.telephone)
    except WrongTelephone as wrong:
        raise HTTPException(422, str(wrong)) from None
    return answer({"telephone": kept})
