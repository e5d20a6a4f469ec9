"""An operator's own signature, and what will stand below their answer: shown before it is sent."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import msgspec
import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api.context import Call, answer
from shared.database.protocol import Transaction
from shared.domain.signature import signature, values_of
from shared.domain.state import Conversation
from shared.registry.operators import Operator
from shared.registry.signatures import Signatures, WrongSignature, signature_of


class Signature(msgspec.Struct):
    """Empty: none; {operator}, {organisation}, {channel} and {address} are filled in."""

    signature: str


async def own(call: Call) -> Response:
    """GET /session/signature: as the operator wrote it, its variables not filled in."""
    return answer({"signature": await Signatures(call.context.database).of(call.operator.id)})


async def keep(call: Call) -> Response:
    """POST /session/signature {signature}: for every mail of this operator from now on."""
    asked = await call.body(Signature)
    try:
        kept = await Signatures(call.context.database).keep(call.operator.id, asked.signature)
    except WrongSignature as wrong:
        raise HTTPException(422, str(wrong)) from None
    return answer({"signature": kept})


async def below(call: Call, state: Conversation) -> str:
    """Return what will stand below an answer in this conversation; empty where its channel has no such habit."""
    if state.answerable is None:
        return ""
    channel_id, operator = state.answerable.channel_id, call.operator
    return await call.context.database.read(partial(_below, operator=operator, channel_id=channel_id))


async def of_reply(call: Call) -> str:
    """Return the operator's own signature where the answer goes by a channel that has such a habit, else nothing."""
    mine = await Signatures(call.context.database).of(call.operator.id)
    target = (await call.context.store.conversation(call.id())).answerable if mine else None
    if target is None:
        return ""
    return mine if await call.context.database.read(partial(_has_signatures, channel_id=target.channel_id)) else ""


def _below(tx: Transaction, operator: Operator, channel_id: UUID) -> str:
    row = tx.row("SELECT name, settings FROM channels WHERE id = ?", (str(channel_id),))
    settings = orjson.loads(row[1]) if row else {}
    if row is None or "signature" not in settings:
        return ""
    values = values_of(operator.name, row[0], settings.get("address", ""), settings.get("organisation", ""))
    return signature(settings["signature"], signature_of(tx, operator.id), values)


def _has_signatures(tx: Transaction, channel_id: UUID) -> bool:
    row = tx.row("SELECT settings FROM channels WHERE id = ?", (str(channel_id),))
    return row is not None and "signature" in orjson.loads(row[0])
