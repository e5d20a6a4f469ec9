"""The customer's card: what it holds, changing it without overwriting others, its history, and as a vCard."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.inbox_api import card_history, moments, past, team
from services.inbox_api.context import Call, answer
from services.inbox_api.files import SAFE
from shared.clock import now
from shared.database.protocol import Transaction
from shared.domain import card as domain
from shared.domain.card_values import shown
from shared.domain.vcard import PersonCard, vcard
from shared.event_store import cards as store
from shared.event_store.session import Session
from shared.problems import problem
from shared.read_models import cards, customers
from shared.registry.operators import Operator

MOST_CHANGES = 200


class FieldChange(msgspec.Struct):
    """`before`: what was seen there; when somebody else has changed it since, the change is refused (409)."""

    field: str
    after: Any
    before: Any = msgspec.UNSET


class CardChanges(msgspec.Struct):
    changes: list[FieldChange]


class ConsentSaid(msgspec.Struct):
    """`channel` is a channel's kind or another way to reach somebody; `text` is what they were shown."""

    channel: str
    state: Literal["given", "withdrawn"]
    how: str
    text: str = ""
    at: datetime | None = None


def by_id_and_email(operators: list[Operator]) -> dict[str, str]:
    """Return operators' ids by what names them in a card or in a file."""
    return {key.casefold(): str(each.id) for each in operators for key in (str(each.id), each.email)}


async def one(call: Call) -> Response:
    """GET /customers/{id}/card?as_of=&by=, now or as it stood."""
    then = moments.as_of(call)
    if then is None:
        return answer(await card(call, call.id()))
    stood = await call.context.database.read(partial(past.customer, customer_id=call.id(), at=then.at, by=then.by))
    if stood is None:
        raise HTTPException(404)
    return answer(await named(call, stood["card"]))


async def card(call: Call, customer_id: UUID) -> dict[str, Any]:
    """Return a customer's own card, with the responsible operator's name. Raises 404."""
    found = await call.context.database.read(partial(card_in, customer_id=customer_id))
    if found is None:
        raise HTTPException(404)
    return await named(call, found)


async def named(call: Call, card: dict[str, Any]) -> dict[str, Any]:
    """Return a card with the responsible operator's name."""
    if not card["operator"]:
        return card
    everybody = {str(each.id): each.name for each in await call.context.operators.all()}
    return card | {"operator": {"id": card["operator"], "name": everybody.get(card["operator"], "")}}


def card_in(tx: Transaction, customer_id: UUID) -> dict[str, Any] | None:
    """Return a card as the API shows it, the responsible operator by id."""
    return cards.card(tx, customer_id, store.own_fields_of(tx))


async def change(call: Call) -> Response:
    """PATCH /customers/{id}/card {"changes": [{field, before, after}]}: all of them or none."""
    asked = await call.body(CardChanges)
    if len(asked.changes) > MOST_CHANGES:
        raise HTTPException(422, f"up to {MOST_CHANGES} fields at once")
    wanted = [
        domain.Wanted(c.field, c.after, domain.ANYTHING if c.before is msgspec.UNSET else _seen(c.before))
        for c in asked.changes
    ]
    operators = by_id_and_email(await call.context.operators.all())
    for each in wanted:
        if each.field == "operator" and (named := operators.get(str(each.after).casefold())):
            await team.at_work(call, UUID(named))

    def decide(session: Session, tx: Transaction) -> None:
        store.change_card(session, tx, call.id(), wanted, operators, call.about())

    try:
        await call.record(decide)
    except domain.Stale as stale:
        fields = [_overtaken(each) for each in stale.fields]
        return problem(409, detail=str(stale), code=stale.code, fields=fields)
    return await one(call)


def _seen(before: Any) -> Any:
    """What the card shows of an operator is {id, name}."""
    return before.get("id") if isinstance(before, dict) else before


def _overtaken(field: domain.Overtaken) -> dict[str, Any]:
    texts = {name: shown(field.type, getattr(field, name)) for name in ("expected", "holds", "wanted")}
    return {"field": field.field, **texts}


async def consent(call: Call) -> Response:
    """POST /customers/{id}/consents: what a customer said to an operator."""
    asked = await call.body(ConsentSaid)
    if asked.at is not None and asked.at.tzinfo is None:
        raise HTTPException(422, "at needs a time zone, such as Z")
    said = domain.Said(asked.channel, asked.state, asked.text, asked.at or now(), asked.how)

    def decide(session: Session, tx: Transaction) -> None:
        store.note_consent(session, tx, call.id(), said, call.about())

    await call.record(decide)
    return await one(call)


async def history(call: Call) -> Response:
    """GET /customers/{id}/card/history?field=: every change, the newest first."""
    field, limit = call.request.query_params.get("field"), call.limit()
    job = partial(card_history.page, customer_id=call.id(), field=field, before=call.cursor(), limit=limit)
    items = await call.context.database.read(job)
    if not items and not await call.context.database.read(partial(customers.customer, customer_id=call.id())):
        raise HTTPException(404)
    return answer({"items": items, "next": str(items[-1]["position"]) if len(items) >= limit else None})


async def visiting_card(call: Call) -> Response:
    """GET /customers/{id}/card.vcf: vCard 4.0."""
    found = await card(call, call.id())
    person = await call.context.database.read(partial(customers.customer, customer_id=call.id()))
    fields = await call.context.database.read(store.own_fields_of)
    assert person is not None
    labels = {key: field.label for key, field in fields.items()}
    text = vcard(PersonCard(found, person["identities"], labels))
    name = re.sub(r"[^\w.-]+", "_", found["name"] or "customer", flags=re.ASCII).strip("_") or "customer"
    headers = {**SAFE, "Content-Disposition": f'attachment; filename="{name}.vcf"', "Cache-Control": "no-store"}
    return Response(text.encode(), media_type="text/vcard", headers=headers)
