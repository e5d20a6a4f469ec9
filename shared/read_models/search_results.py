"""Searching: which entries are meant, a page of them, each with a snippet in which the found words are marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.database.protocol import Transaction
from shared.read_models.search import candidates, entries_at
from shared.read_models.search_entries import Entry
from shared.read_models.search_words import Query, Wanted, spans, words

LOOKED_AT = 10_000
"""Entries one request looks at; where filters leave fewer than a page, the next page goes on behind them."""
AT_ONCE = 100
SNIPPET_CHARACTERS = 200
BEFORE_CHARACTERS = 60
READ_CHARACTERS = 20_000
"""Of a text, for the snippet."""
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty: all. Times as RFC 3339 texts in UTC; `customers`: any of them."""

    kind: str = ""
    channel_id: UUID | None = None
    customers: tuple[UUID, ...] = ()
    since: str = ""
    until: str = ""

    def let(self, entry: Entry) -> bool:
        return (
            (not self.kind or entry.kind == self.kind)
            and (self.channel_id is None or entry.channel_id == self.channel_id.hex)
            and self.since <= entry.at
            and (not self.until or entry.at < self.until)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """`following`: where the next page begins, None when there is none."""

    items: list[Body]
    following: int | None


def search(tx: Transaction, query: Query, filters: Filters, before: int | None, limit: int) -> Page:
    """Return a page of what is found, the newest first."""
    items: list[Body] = []
    position, looked_at = before if before is not None else 2**62, 0
    while query.terms and looked_at < LOOKED_AT:
        found = candidates(tx, query, filters.customers, position, AT_ONCE)
        for entry in entries_at(tx, found) if found else ():
            position = entry.position
            if filters.let(entry) and all(_says(entry, phrase) for phrase in query.phrases):
                items.append(_shown(entry, query))
                if len(items) == limit:
                    return Page(items, position)
        looked_at += len(found)
        if len(found) < AT_ONCE:
            return Page(items, None)
        position = found[-1]
    return Page(items, position if query.terms else None)


def _says(entry: Entry, phrase: Sequence[str]) -> bool:
    """Return whether the words stand there in this order, as they were said."""
    wanted = f" {' '.join(phrase)} "
    return any(wanted in f" {' '.join(words(text))} " for text in (entry.title, entry.text, entry.more))


def _shown(entry: Entry, query: Query) -> Body:
    return {
        "kind": entry.kind,
        "id": _id(entry.message_id),
        "customer_id": _id(entry.customer_id),
        "conversation_id": _id(entry.conversation_id),
        "channel_id": _id(entry.channel_id),
        "direction": entry.direction or None,
        "at": entry.at,
        "title": marked(entry.title[:SNIPPET_CHARACTERS], query.wanted),
        "snippet": _snippet(entry, query.wanted),
        "position": entry.position,
    }


def _id(digits: str) -> str | None:
    return str(UUID(digits)) if digits else None


def _snippet(entry: Entry, wanted: Sequence[Wanted]) -> list[Body]:
    """Return the place where something was found; the text's beginning when that was in the title."""
    for text in (entry.text, entry.more):
        if any(True for _ in _hits(text[:READ_CHARACTERS], wanted)):
            return _around(text[:READ_CHARACTERS], wanted)
    return _around(entry.text or entry.more, [])


def _around(text: str, wanted: Sequence[Wanted]) -> list[Body]:
    first = next((start for start, _ in _hits(text, wanted)), 0)
    start = max(0, first - BEFORE_CHARACTERS)
    end = start + SNIPPET_CHARACTERS
    if start:
        start = text.find(" ", start, first) + 1 or start
    cut = text[start:end]
    ends = ("… " if start else "", " …" if end < len(text) else "")
    return marked(" ".join(f"{ends[0]}{cut}{ends[1]}".split()), wanted)


def marked(text: str, wanted: Sequence[Wanted]) -> list[Body]:
    """Return a text as pieces, each found or not: to be shown without trusting it."""
    pieces: list[Body] = []
    end = 0
    for start, stop in _hits(text, wanted):
        if start > end:
            pieces.append({"text": text[end:start], "found": False})
        pieces.append({"text": text[start:stop], "found": True})
        end = stop
    return [*pieces, {"text": text[end:], "found": False}] if end < len(text) else pieces


def _hits(text: str, wanted: Sequence[Wanted]) -> Iterator[tuple[int, int]]:
    """Return where something wanted stands, in order; a number in place of the groups it consists of."""
    found = [(a, b) for a, b, keys in spans(text) if any(each.fits(key) for each in wanted for key in keys)]
    end = 0
    for start, stop in sorted(found, key=lambda place: (place[0], -place[1])):
        if start >= end:
            yield start, stop
            end = stop
