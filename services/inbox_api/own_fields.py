"""Own fields of the card: everybody sees which there are, admins define them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from starlette.responses import Response

from services.inbox_api.context import Call, answer
from services.inbox_api.short_lists import short
from shared.database.protocol import Transaction
from shared.domain.events import OwnFieldDefined
from shared.domain.own_fields import OwnField
from shared.event_store import cards as store
from shared.event_store.session import Session


class NewField(msgspec.Struct):
    """Another definition of the same key changes its label and choices; its type stays."""

    key: str
    label: str
    type: Literal["text", "number", "date", "choice", "yes_no"]
    choices: list[str] = []


async def list_(call: Call) -> Response:
    fields = await call.context.database.read(store.own_fields_of)
    numbered = enumerate(fields.values())
    return short(call, [((number, ""), shown(field)) for number, field in numbered if not field.removed])


async def define(call: Call) -> Response:
    """POST /fields: an admin defines a field."""
    call.only_admins()
    asked = await call.body(NewField)
    wanted = OwnFieldDefined(asked.key, asked.label, asked.type, tuple(asked.choices))

    def decide(session: Session, tx: Transaction) -> None:
        store.define_field(session, tx, wanted, call.about())

    await call.context.store.record(decide)
    fields = await call.context.database.read(store.own_fields_of)
    return answer(shown(fields[asked.key]), 201)


async def remove(call: Call) -> Response:
    """DELETE /fields/{id}, the key: what cards hold of it stays in the log."""
    call.only_admins()
    key: str = call.request.path_params["id"]

    def decide(session: Session, tx: Transaction) -> None:
        store.remove_field(session, tx, key, call.about())

    await call.context.store.record(decide)
    return Response(status_code=204)


def shown(field: OwnField) -> dict[str, Any]:
    return {"key": field.key, "label": field.label, "type": field.type, "choices": list(field.choices)}
