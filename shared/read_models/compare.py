"""Two tables that should be alike: how many rows differ, and what the first differences are.

Both are looked at in one snapshot. Rows are told apart by the primary key; without one, a row is its own key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.database.columns import Columns, columns_of
from shared.database.protocol import Row, Transaction


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs, or (`column` is None) a row that only one table has: that row's values by column."""

    table: str
    key: dict[str, Any]
    what: Literal["changed", "only_live", "only_rebuilt"]
    column: str | None
    live: Any
    rebuilt: Any


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome for one table: its rows when rebuilt, rows that only one has, rows that differ, the first of them.

    `incomparable` says why rows were not looked at, else it is empty.
    """

    table: str
    rows: int
    only_live: int = 0
    only_rebuilt: int = 0
    changed: int = 0
    differences: tuple[Difference, ...] = ()
    incomparable: str = ""

    @property
    def equal(self) -> bool:
        return self.only_live == self.only_rebuilt == self.changed == 0


def compare(tx: Transaction, table: str, rebuilt: str, shown: int) -> Compared:
    """Compare a live table with its rebuilt one; name up to `shown` differing rows."""
    rows, columns = _count(tx, rebuilt), columns_of(tx, rebuilt)
    if columns_of(tx, table) != columns:
        return Compared(table, rows, incomparable="its columns are others now")
    both = _Pair(tx, table, rebuilt, columns)
    return both.by_key(rows, shown) if columns.key else both.by_rows(rows, shown)


@dataclass(frozen=True, slots=True)
class _Pair:
    tx: Transaction
    live: str
    rebuilt: str
    columns: Columns

    def by_key(self, rows: int, shown: int) -> Compared:
        matched, changed = self._matched()
        only_live, only_rebuilt = _count(self.tx, self.live) - matched, rows - matched
        found = list(self._changed(shown)) if changed else []
        if only_live:
            found += self._alone(self.live, self.rebuilt, shown)
        if only_rebuilt:
            found += self._alone(self.rebuilt, self.live, shown)
        return Compared(self.live, rows, only_live, only_rebuilt, changed, _first(found, shown))

    def by_rows(self, rows: int, shown: int) -> Compared:
        sides = ((self.live, self.rebuilt), (self.rebuilt, self.live))
        queries = [f"SELECT * FROM {one} EXCEPT SELECT * FROM {other}" for one, other in sides]
        counts = [_count(self.tx, f"({query}) AS d") for query in queries]
        found: list[Difference] = []
        for (one, _), query in zip(sides, queries, strict=True):
            found += [self._missing(one, row) for row in self.tx.rows(f"{query} LIMIT {shown}")]
        surplus = _count(self.tx, self.live) - rows  # the same row twice on one side only
        if not any(counts) and surplus:
            counts = [max(surplus, 0), max(-surplus, 0)]
        return Compared(self.live, rows, counts[0], counts[1], 0, _first(found, shown))

    def _matched(self) -> tuple[int, int]:
        """Return how many keys both have, and how many of these rows differ."""
        differs = f"sum(CASE WHEN {self._differs} THEN 1 ELSE 0 END)" if self.columns.others else "0"
        row = self.tx.row(f"SELECT count(*), {differs} FROM {self._joined}")
        return (int(row[0]), int(row[1] or 0)) if row else (0, 0)

    def _changed(self, shown: int) -> Iterator[Difference]:
        names = self.columns.names
        wanted = ",".join(f"{side}.{name}" for side in "lr" for name in names)
        for row in self.tx.rows(f"SELECT {wanted} FROM {self._joined} WHERE {self._differs} LIMIT {shown}"):
            live, rebuilt = row[: len(names)], row[len(names) :]
            for name, was, is_ in zip(names, live, rebuilt, strict=True):
                if was != is_:
                    yield Difference(self.live, self._key(live), "changed", name, was, is_)

    def _alone(self, one: str, other: str, shown: int) -> list[Difference]:
        names = ",".join(f"l.{name}" for name in self.columns.names)
        where = f"NOT EXISTS (SELECT 1 FROM {other} r WHERE {self._same_key})"
        rows = self.tx.rows(f"SELECT {names} FROM {one} l WHERE {where} LIMIT {shown}")
        return [self._missing(one, row) for row in rows]

    def _missing(self, where: str, row: Row) -> Difference:
        values = dict(zip(self.columns.names, row, strict=True))
        if where == self.live:
            return Difference(self.live, self._key(row), "only_live", None, values, None)
        return Difference(self.live, self._key(row), "only_rebuilt", None, None, values)

    def _key(self, row: Row) -> dict[str, Any]:
        values = dict(zip(self.columns.names, row, strict=True))
        return {name: values[name] for name in self.columns.key or self.columns.names}

    @property
    def _joined(self) -> str:
        return f"{self.live} l JOIN {self.rebuilt} r ON {self._same_key}"

    @property
    def _same_key(self) -> str:
        return " AND ".join(f"l.{name} = r.{name}" for name in self.columns.key)

    @property
    def _differs(self) -> str:
        unlike = "IS NOT" if self.tx.dialect == "sqlite" else "IS DISTINCT FROM"
        return " OR ".join(f"l.{name} {unlike} r.{name}" for name in self.columns.others)


def _first(found: Sequence[Difference], shown: int) -> tuple[Difference, ...]:
    """Rows, not values, are counted: all that differs in a row is told."""
    keys = list(dict.fromkeys(str(each.key) for each in found))[:shown]
    return tuple(each for each in found if str(each.key) in keys)


def _count(tx: Transaction, source: str) -> int:
    row = tx.row(f"SELECT count(*) FROM {source}")
    return int(row[0]) if row else 0
