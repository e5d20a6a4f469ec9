"""PURE: what a field of a card may hold, by its type: texts as people and files write them become one way of writing.

The same value is always the same text, so that two of them can be compared and an export reads back as it was.
"""

from __future__ import annotations

import re
import unicodedata
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from shared.domain.errors import Refused
from shared.domain.events_card import Values

TEXT_LIMIT, LONG_LIMIT = 500, 10_000
LIST_LIMIT = 50
TAG_LIMIT = 60
DIGITS = 15
"""Of a number: more do not survive the programs that read JSON as doubles (RFC 8259, section 6)."""


class WrongValue(Refused):
    """A field cannot hold this; `field` says which one."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__("wrong_value", f"{field}: {text}")
        self.field, self.why = field, text


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field may hold; `operators` by id and by e-mail address."""

    type: str
    choices: tuple[str, ...] = ()
    operators: Mapping[str, str] = field(default_factory=dict)


def read(name: str, rule: Rule, given: object) -> Values:
    """Return what a field holds from JSON or the text of a cell; nothing for null and empty ones. Raises WrongValue."""
    try:
        return _READERS[rule.type](rule, given)
    except ValueError as error:
        raise WrongValue(name, str(error)) from None


def shown(type_: str, values: Values) -> Any:
    """Return values as JSON shows them: a list, a number, a boolean, a text, or null."""
    if type_ in LISTS:
        return list(values)
    if not values:
        return None
    if type_ == "number":
        return int(values[0]) if re.fullmatch(r"-?\d+", values[0]) else float(values[0])
    return values[0] == "yes" if type_ == "yes_no" else values[0]


def as_cell(type_: str, values: Values) -> str:
    """Return values as the text of one cell, which `read` reads back."""
    return {"tags": ", ", "lines": "\n"}.get(type_, "").join(values)


# --- by type ----------------------------------------------------------------------------------------------


def _text(given: object, limit: int = TEXT_LIMIT) -> str:
    if given is None:
        return ""
    if not isinstance(given, str):
        raise ValueError("a text is wanted")
    text = unicodedata.normalize("NFC", given.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if len(text) > limit:
        raise ValueError(f"longer than {limit} characters")
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" for letter in text):
        raise ValueError("it has control characters")
    return text


def _one_line(rule: Rule, given: object) -> Values:
    text = " ".join(_text(given).split())
    return (text,) if text else ()


def _long(rule: Rule, given: object) -> Values:
    text = _text(given, LONG_LIMIT)
    return (text,) if text else ()


def _list(given: object, separators: str, limit: int) -> Values:
    texts = [_text(each, LONG_LIMIT) for each in (given if isinstance(given, list | tuple) else [given])]
    parts = (" ".join(part.split()) for text in texts for part in re.split(separators, text))
    found = tuple(dict.fromkeys(filter(None, parts)))
    if len(found) > LIST_LIMIT:
        raise ValueError(f"more than {LIST_LIMIT}")
    if any(len(each) > limit for each in found):
        raise ValueError(f"one of them is longer than {limit} characters")
    return found


def _tags(rule: Rule, given: object) -> Values:
    return _list(given, r"[,;\n]", TAG_LIMIT)


def _lines(rule: Rule, given: object) -> Values:
    return _list(given, r"\n", TEXT_LIMIT)


def _number(rule: Rule, given: object) -> Values:
    """12; 1 234,50; 1,234.50: the last of two kinds of marks is the decimal one."""
    if isinstance(given, bool) or not isinstance(given, str | int | float | None):
        raise ValueError("a number is wanted")
    text = re.sub(r"[\s\u00a0\u202f'’]", "", _text(given) if isinstance(given, str) else _plain(given))
    if not text:
        return ()
    if "," in text and "." in text:
        text = text.replace("." if text.rindex(",") > text.rindex(".") else ",", "")
    text = text.replace(",", ".").replace("−", "-")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text, re.ASCII):
        raise ValueError(f"{text[:40]!r} is no number")
    number = Decimal(text)
    plain = f"{number:f}"
    plain = (plain.rstrip("0").rstrip(".") if "." in plain else plain) or "0"
    if sum(letter.isdigit() for letter in plain) > DIGITS:
        raise ValueError(f"more than {DIGITS} digits")
    return ("0",) if not Decimal(plain) else (plain,)


def _plain(given: object) -> str:
    try:
        return "" if given is None else f"{Decimal(str(given)):f}"
    except (InvalidOperation, ValueError):
        raise ValueError("a number is wanted") from None


_DATES = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)", re.ASCII),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})", re.ASCII),
)
_DAYS = (
    re.compile(r"--(?P<m>\d\d)-?(?P<d>\d\d)", re.ASCII),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.?", re.ASCII),
)
_ANY_YEAR = 2000
"""A leap year: somebody may be born on February 29."""


def _date(rule: Rule, given: object) -> Values:
    text = _text(given)
    if not text:
        return ()
    for pattern in _DATES:
        if found := pattern.fullmatch(text):
            return (_day(int(found["y"]), int(found["m"]), int(found["d"])).isoformat(),)
    raise ValueError(f"{text[:40]!r} is no date such as 1990-12-31 or 31.12.1990")


def _birthday(rule: Rule, given: object) -> Values:
    """Also without a year: --12-31 (as vCard writes it) or 31.12."""
    for pattern in _DAYS:
        if found := pattern.fullmatch(_text(given)):
            return (f"-{_day(_ANY_YEAR, int(found['m']), int(found['d'])).isoformat()[4:]}",)
    return _date(rule, given)


def _day(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError("there is no such day") from None


_YES = frozenset({"yes", "true", "1", "y", "+", "да", "д", "истина"})
_NO = frozenset({"no", "false", "0", "n", "-", "нет", "н", "ложь"})


def _yes_no(rule: Rule, given: object) -> Values:
    text = ("yes" if given else "no") if isinstance(given, bool) else _text(given).casefold()
    if text and text not in _YES | _NO:
        raise ValueError(f"{text[:40]!r} is neither yes nor no")
    return (("yes" if text in _YES else "no"),) if text else ()


def _choice(rule: Rule, given: object) -> Values:
    text = " ".join(_text(given).split())
    known = {choice.casefold(): choice for choice in rule.choices}
    if text and text.casefold() not in known:
        raise ValueError(f"{text[:40]!r} is none of {', '.join(rule.choices)}")
    return (known[text.casefold()],) if text else ()


_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def _language(rule: Rule, given: object) -> Values:
    """A tag of RFC 5646, written as its section 2.1.1 recommends: ru, pt-BR, zh-Hant."""
    text = _text(given).replace("_", "-")
    if not text:
        return ()
    if len(text) > 35 or not _LANGUAGE.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no language such as ru or en-GB")
    first, *rest = text.lower().split("-")
    by_length: dict[int, Callable[[str], str]] = {2: str.upper, 4: str.title}
    return ("-".join([first, *(by_length.get(len(part), str)(part) for part in rest)]),)


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in zoneinfo.available_timezones()}


def _time_zone(rule: Rule, given: object) -> Values:
    text = _text(given)
    if text and text.casefold() not in _zones():
        raise ValueError(f"{text[:40]!r} is no time zone such as Europe/Moscow")
    return (_zones()[text.casefold()],) if text else ()


def _operator(rule: Rule, given: object) -> Values:
    text = _text(given)
    if text and text.casefold() not in rule.operators:
        raise ValueError(f"there is no operator {text[:80]!r}")
    return (rule.operators[text.casefold()],) if text else ()


LISTS = ("tags", "lines")
_READERS: Mapping[str, Callable[[Rule, object], Values]] = {
    "text": _one_line,
    "long_text": _long,
    "tags": _tags,
    "lines": _lines,
    "number": _number,
    "date": _date,
    "birthday": _birthday,
    "yes_no": _yes_no,
    "choice": _choice,
    "language": _language,
    "time_zone": _time_zone,
    "operator": _operator,
}
