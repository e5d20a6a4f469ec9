"""PURE: the rows of a file as an import reads them, and which columns go to which fields by their headings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from shared import phone_numbers
from shared.domain import events as e
from shared.domain import identity
from shared.domain.card import FIELDS, Rules
from shared.domain.card_values import WrongValue, read
from shared.domain.errors import Refused
from shared.domain.imports import EMAIL, ID, PHONE, SEVERAL, Column, Line, Problem
from shared.domain.own_fields import OWN, OwnField

HEADINGS: Mapping[str, str] = {
    EMAIL: "email|e-mail|mail|почта|эл. почта|электронная почта|емейл|имейл|email address|e-mail address",
    PHONE: "phone|telephone|mobile|tel|phone number|телефон|мобильный|моб. телефон|номер телефона|тел|тел.",
    ID: "id|customer id",
    "name": "name|full name|имя|фио|ф.и.о.|клиент|контакт|контактное лицо|customer|contact",
    "organisation": "organisation|organization|company|компания|организация|фирма",
    "language": "language|lang|язык",
    "time_zone": "time_zone|time zone|timezone|часовой пояс",
    "addresses": "addresses|address|postal address|адрес|адреса|почтовый адрес",
    "requisites": "requisites|bank details|реквизиты",
    "tags": "tags|labels|теги|метки|категории",
    "segment": "segment|сегмент",
    "operator": "operator|responsible|owner|ответственный|менеджер|ответственный сотрудник",
    "birthday": "birthday|birth date|date of birth|дата рождения|день рождения|др",
    "notes": "notes|note|comment|comments|заметки|комментарий|комментарии|примечание|примечания",
}
TOO_WIDE = Problem("", "more cells than headings: a value with a separator in it must stand in quotes")
_FIELD_OF = {heading: field for field, names in HEADINGS.items() for heading in names.split("|")}


def field_names(own: Mapping[str, OwnField]) -> list[str]:
    """Return the names of all fields a column can go to."""
    return [EMAIL, PHONE, ID, *FIELDS, *(OWN + field.key for field in own.values() if not field.removed)]


def suggested(headings: Sequence[str], own: Mapping[str, OwnField]) -> list[str | None]:
    """Return for each heading the field it most likely means; each field once, except where several may go to it."""
    by_heading = {f.label.casefold(): OWN + f.key for f in own.values() if not f.removed}
    by_heading |= {OWN + f.key: OWN + f.key for f in own.values() if not f.removed}
    found: list[str | None] = []
    for heading in headings:
        plain = " ".join(heading.casefold().split())
        field = by_heading.get(plain) or _FIELD_OF.get(plain) or _FIELD_OF.get(re.sub(r"[\s_-]*\d+$", "", plain))
        found.append(None if field in found and field not in SEVERAL else field)
    return found


def lines_of(
    rows: Iterator[tuple[int, list[str]]], columns: Sequence[Column], rules: Rules, country: str, headings: int
) -> Iterator[Line]:
    """Return the rows of a file as they were meant; what cannot be understood is told by column, never guessed.

    `headings`: how many there are. Where more follows, a value may be cut in two and all behind it in a wrong column.
    """
    for number, cells in rows:
        if any(cell.strip() for cell in cells[headings:]):
            yield Line(number, wrong=(TOO_WIDE,))
        else:
            yield _Reader(rules, country).line(number, cells, columns)


class _Reader:
    """One row while it is read."""

    def __init__(self, rules: Rules, country: str) -> None:
        self._rules, self._country = rules, country
        self.addresses: dict[tuple[str, str], e.Address] = {}
        self.values: dict[str, e.Values] = {}
        self.customer_id: UUID | None = None

    def line(self, number: int, cells: Sequence[str], columns: Sequence[Column]) -> Line:
        wrong: list[Problem] = []
        for column in columns:
            cell = cells[column.index].strip() if column.index < len(cells) else ""
            try:
                if cell:
                    self._take(column.field, cell)
            except WrongValue as error:
                wrong.append(Problem(column.name, error.why))
            except (Refused, ValueError) as error:
                wrong.append(Problem(column.name, str(error)))
        return Line(number, self.customer_id, tuple(self.addresses.values()), self.values, tuple(wrong))

    def _take(self, field: str, cell: str) -> None:
        if field == EMAIL:
            for text in filter(None, re.split(r"[\s,;]+", cell)):
                self._address(EMAIL, text, identity.given_email(text), "e-mail address")
        elif field == PHONE:
            for text in filter(None, map(str.strip, re.split(r"[,;\n]", cell))):
                self._address(PHONE, text, phone_numbers.given(text, self._country), "telephone number")
        elif field == ID:
            self.customer_id = _uuid(cell)
        else:
            known = self.values.get(field, ())
            given: object = [*known, cell] if known else cell
            self.values[field] = read(field, self._rules.of(field), given)

    def _address(self, kind: str, text: str, address: str | None, what: str) -> None:
        if address is None:
            country = "" if kind == EMAIL or self._country else " without a country"
            raise ValueError(f"{text[:80]!r} is no {what}{country}")
        self.addresses[kind, address] = e.Address(kind, address)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValueError(f"{text[:80]!r} is no customer's id") from None
