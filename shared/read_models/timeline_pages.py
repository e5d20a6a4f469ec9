"""Which entries a page of a timeline has: only keys are read here, each range from an index that has it in order.

One clock rules a list (`Wanted.by`): its order, its bounds and its cursor are positions (known) or the channels' times
(happened).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.database.protocol import Transaction
from shared.read_models.facets import Filter, numbers_that_fit
from shared.read_models.moment import By, Moment

LEFT = "timeline_left"
"""Where entries stood until they were moved, or until what they stood in for came (`replaced`: when
that had happened)."""
AT_ONCE = 40
"""Ranges in one statement."""
RARE = 1000
"""So many entries are sorted rather than looked for among all of a customer."""
_HERE = ("timeline", "0")
_BEFORE = (LEFT, "left_at")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: entries on the far side of the one at the position `after`, in the given order."""

    limit: int = 50
    after: int | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries of a customer: by what they are, from when to when (both included), and as of which moment."""

    filter: Filter = field(default_factory=Filter)
    by: By = "known"
    first: int | None = None
    last: int | None = None
    """Positions, or microseconds since 1970 where the list goes by the channels' clocks."""
    moment: Moment | None = None


ALL = Wanted()


_Condition = tuple[str, tuple[object, ...]]
"""A part of a WHERE clause with its parameters."""


class Key(NamedTuple):
    """`left_at` is 0 for an entry that still stands there; `occurred` where the list does not go by it."""

    occurred: int
    position: int
    left_at: int


@dataclass(frozen=True, slots=True)
class _Range:
    table: str
    left_at: str
    where: str
    parameters: tuple[object, ...]


def of_customers(tx: Transaction, customer_ids: Sequence[str], page: Page, wanted: Wanted) -> list[Key]:
    """Return the keys of a page, in order."""
    after = None if page.after is None or wanted.by == "known" else _occurred(tx, page.after)
    bounds = list(_bounds(page, wanted, after))
    ranges: list[_Range] = []
    for customer_id in customer_ids:
        whole = _Range(*_HERE, "customer_id = ?", (customer_id,))
        numbers = None if wanted.filter.is_empty else _facets(tx, customer_id, wanted.filter)
        ranges += _narrowed(tx, whole, numbers, wanted)
        if wanted.moment is not None:
            fits = "TRUE" if numbers is None else f"facet IN ({','.join(map(str, numbers)) or 'NULL'})"
            ranges.append(_Range(*_BEFORE, f"customer_id = ? AND {fits}", (customer_id,)))
    return _first(_keys(tx, ranges, bounds, page, wanted), page, wanted.by)


def of_conversations(
    tx: Transaction, conversation_ids: Sequence[str], kinds: Sequence[str], page: Page, moment: Moment | None
) -> list[Key]:
    """Return the keys of a page of some conversations' entries of some kinds, in the order they were recorded."""
    ranges: list[_Range] = []
    where = f"conversation_id = ? AND kind IN ({','.join('?' * len(kinds))})"
    for id_ in conversation_ids:
        ranges.append(_Range(*_HERE, where, (id_, *kinds)))
        if moment is not None:
            ranges.append(_Range(*_BEFORE, where, (id_, *kinds)))
    wanted = Wanted(moment=moment)
    return _first(_keys(tx, ranges, list(_bounds(page, wanted, None)), page, wanted), page, "known")


def _narrowed(tx: Transaction, whole: _Range, numbers: list[int] | None, wanted: Wanted) -> Iterator[_Range]:
    """Split a customer's entries into ranges that an index has in the wanted order."""
    if numbers is None:
        yield whole
    elif wanted.by == "known":
        for number in numbers:
            yield _Range(*_HERE, f"{whole.where} AND facet = ?", (*whole.parameters, number))
    elif numbers:
        positions = _rare(tx, whole, numbers)
        fits = f"facet IN ({','.join(map(str, numbers))})"
        if positions is not None:
            fits = f"position IN ({','.join(map(str, positions)) or 'NULL'})"
        yield _Range(*_HERE, f"{whole.where} AND {fits}", whole.parameters)


def _rare(tx: Transaction, whole: _Range, numbers: Sequence[int]) -> list[int] | None:
    """Return the positions of all entries of these combinations, None when they are too many to sort."""
    fits = f"facet IN ({','.join(map(str, numbers))})"
    sql = f"SELECT position FROM timeline WHERE {whole.where} AND {fits} LIMIT ?"
    found = [position for (position,) in tx.rows(sql, (*whole.parameters, RARE + 1))]
    return None if len(found) > RARE else found


def _facets(tx: Transaction, customer_id: str, wanted: Filter) -> list[int]:
    """Return the combinations a filter lets through; of many, only those the customer has (index steps, not rows)."""
    fit = numbers_that_fit(tx, wanted)
    if len(fit) <= AT_ONCE:
        return sorted(fit)
    least = "(SELECT min(facet) FROM timeline WHERE customer_id = ? AND facet > theirs.facet)"
    sql = (
        "WITH RECURSIVE theirs(facet) AS (SELECT min(facet) FROM timeline WHERE customer_id = ?"
        f" UNION ALL SELECT {least} FROM theirs WHERE theirs.facet IS NOT NULL)"
        " SELECT facet FROM theirs WHERE facet IS NOT NULL"
    )
    theirs = {facet for (facet,) in tx.rows(sql, (customer_id, customer_id))}
    return sorted(fit & theirs)


def _occurred(tx: Transaction, position: int) -> int | None:
    """Return by the channels' clocks where a page goes on; the entry may have left meanwhile."""
    sql = "SELECT occurred FROM timeline WHERE position = ?"
    row = tx.row(sql, (position,)) or tx.row(sql.replace("timeline", LEFT), (position,))
    return row[0] if row else None


def _keys(
    tx: Transaction, ranges: Sequence[_Range], bounds: Sequence[_Condition], page: Page, wanted: Wanted
) -> list[Key]:
    """Return at least those keys of some ranges that belong to the page."""
    found: list[Key] = []
    for start in range(0, len(ranges), AT_ONCE):
        some = ranges[start : start + AT_ONCE]
        selects = [_select(number, each, bounds, page, wanted) for number, each in enumerate(some)]
        parameters = [value for _, values in selects for value in values]
        union = " UNION ALL ".join(sql for sql, _ in selects)
        sql = f"SELECT * FROM ({union}) AS g ORDER BY {_order(page, wanted.by)} LIMIT ?" if len(some) > 1 else union
        found += [Key(*row) for row in tx.rows(sql, [*parameters, page.limit] if len(some) > 1 else parameters)]
    return found


def _select(
    number: int, within: _Range, bounds: Sequence[_Condition], page: Page, wanted: Wanted
) -> tuple[str, list[object]]:
    wheres = [(within.where, within.parameters), *bounds, *_as_of(within, wanted.moment)]
    order = _order(page, wanted.by)
    occurred = "0" if wanted.by == "known" else "occurred"  # then the index alone tells the keys
    sql = (
        f"SELECT * FROM (SELECT {occurred} AS occurred, position, {within.left_at} AS left_at FROM {within.table}"
        f" WHERE {' AND '.join(where for where, _ in wheres)} ORDER BY {order} LIMIT ?) AS r{number}"
    )
    return sql, [value for _, values in wheres for value in values] + [page.limit]


def _order(page: Page, by: By) -> str:
    way = "DESC" if page.descending else "ASC"
    return f"position {way}" if by == "known" else f"occurred {way}, position {way}"


def _bounds(page: Page, wanted: Wanted, after_occurred: int | None) -> Iterator[_Condition]:
    clock = "position" if wanted.by == "known" else "occurred"
    if wanted.first is not None:
        yield f"{clock} >= ?", (wanted.first,)
    if wanted.last is not None:
        yield f"{clock} <= ?", (wanted.last,)
    sign = "<" if page.descending else ">"
    if page.after is not None and wanted.by == "known":
        yield f"position {sign} ?", (page.after,)
    elif page.after is not None:
        yield f"(occurred, position) {sign} (?, ?)", (after_occurred, page.after)


def _as_of(within: _Range, moment: Moment | None) -> Iterator[_Condition]:
    """What stood there at the moment: it had come, and had not left."""
    if moment is None:
        return
    if moment.occurred_until is None:
        yield "position <= ?", (moment.position,)
    else:
        yield "occurred <= ?", (moment.occurred_until,)
    yield "(came_at IS NULL OR came_at <= ?)", (moment.position,)
    if within.table == LEFT:
        until = moment.occurred_until
        if until is None:
            yield "left_at > ?", (moment.position,)
        else:
            yield "(replaced IS NULL AND left_at > ? OR replaced > ?)", (moment.position, until)


def _first(found: Sequence[Key], page: Page, by: By) -> list[Key]:
    def place(key: Key) -> tuple[int, ...]:
        return (key.position,) if by == "known" else (key.occurred, key.position)

    return sorted(found, key=place, reverse=page.descending)[: page.limit]
