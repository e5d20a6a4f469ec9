"""All customers with their cards as CSV: it reads back as it was, and no spreadsheet runs anything that is in it."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from services.inbox_api.context import Call
from shared import phone_numbers
from shared.csv_cells import guarded
from shared.database.protocol import Database
from shared.domain import identity
from shared.domain.card import FIELDS
from shared.domain.card_values import as_cell
from shared.domain.own_fields import OWN, OwnField
from shared.event_store.cards import own_fields_of
from shared.progress import Progress, Watcher, nobody
from shared.read_models import cards

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
BATCH = 500
MARK = "\ufeff"
"""Without it Excel takes UTF-8 for the code page of the machine."""


async def csv_of(
    database: Database, operators: Mapping[str, str], separator: str, watcher: Watcher = nobody
) -> AsyncIterator[bytes]:
    """Yield the file in pieces. `operators`: e-mail addresses by id."""
    total, done = await database.read(cards.count), 0
    own = {key: field for key, field in (await database.read(own_fields_of)).items() if not field.removed}
    yield (MARK + _lines([_headings(own)], separator)).encode()
    after = 0
    while page := await database.read(partial(cards.page, own=own, after=after, limit=BATCH)):
        yield _lines([_row(card, own, operators) for card in page], separator).encode()
        after, done = page[-1]["position"], done + len(page)
        watcher(Progress("customers", done, max(done, total)))


def _headings(own: Mapping[str, OwnField]) -> list[str]:
    return ["id", "email", "phone", *FIELDS, *(OWN + key for key in own), "other addresses", "consents"]


def _row(card: Mapping[str, Any], own: Mapping[str, OwnField], operators: Mapping[str, str]) -> list[str]:
    emails, phones, others = _addresses(card["identities"])
    card = {**card, "operator": operators.get(card["operator"] or "", "")}
    fields = [_cell(type_, card[name]) for name, type_ in FIELDS.items()]
    fields += [_cell(field.type, card["own"][key]) for key, field in own.items()]
    consents = "; ".join(f"{each}: {said['state']} {said['at'][:10]}" for each, said in card["consents"].items())
    cells = [card["customer_id"], ", ".join(emails), ", ".join(phones), *fields, "; ".join(others), consents]
    return [guarded(cell) for cell in cells]


def _cell(type_: str, shown: Any) -> str:
    if isinstance(shown, bool):
        return "yes" if shown else "no"
    if isinstance(shown, int | float):
        return f"{Decimal(str(shown)):f}"
    return as_cell(type_, tuple(shown) if isinstance(shown, list) else (shown or "",))


def _addresses(identities: Sequence[Mapping[str, str]]) -> tuple[list[str], list[str], list[str]]:
    """Return e-mail addresses, telephone numbers as URIs, and what an import would not read as either."""
    emails: list[str] = []
    phones: list[str] = []
    others: list[str] = []
    for each in identities:
        kind, address = each["kind"], each["address"]
        if not address:
            continue  # it was erased
        if kind == "email" and identity.given_email(address) == address:
            emails.append(address)
        elif kind == "phone" and phone_numbers.given(address, "") == address:
            phones.append(f"tel:{address}")
        else:
            others.append(f"{kind}: {address}")
    return emails, phones, others


def _lines(rows: Sequence[Sequence[str]], separator: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue()


async def export(call: Call) -> Response:
    """GET /customers/export.csv?separator=comma|semicolon|tab (Excel takes the one of its country)."""
    name = call.request.query_params.get("separator", "comma")
    if name not in SEPARATORS:
        raise HTTPException(422, f"separator must be one of {', '.join(SEPARATORS)}")
    operators = {str(each.id): each.email for each in await call.context.operators.all()}
    headers = {"Content-Disposition": 'attachment; filename="customers.csv"', "Cache-Control": "no-store"}
    pieces = csv_of(call.context.database, operators, SEPARATORS[name])
    return StreamingResponse(pieces, media_type="text/csv", headers=headers | {"X-Content-Type-Options": "nosniff"})
