"""The rebuild that is going on, or was broken off: which tables it builds, and how far each model is.

A rebuild's position moves in the transaction that fills its tables. `owner` is whoever goes on with it now: one that
was taken for dead, and is not, moves nothing any more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.clock import to_text
from shared.database.columns import tables_like
from shared.database.protocol import Occupied, Transaction
from shared.database.schema import lock_schema
from shared.read_models import live

OLD = "old_"
"""Follows the prefix in the names of tables that were live before."""
_GENERATION = re.compile(r"g\d+_")


class Overtaken(Occupied):
    """Another process has taken up this rebuild."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A rebuild in hand; `positions`: where its models are, which may be where another one was broken off."""

    prefix: str
    owner: str
    positions: dict[str, int]


def take_up(tx: Transaction, names: Sequence[str], owner: str, at: datetime, *, afresh: bool = False) -> Begun:
    """Go on with a rebuild of just these models that was broken off, or begin; what others have left stays for
    `left_tables`."""
    lock_schema(tx)
    tx.run("UPDATE read_model_rebuilds SET owner = ?, taken_up_at = ?", (owner, to_text(at)))
    found = tx.rows("SELECT name, prefix, version, position FROM read_model_rebuilds")
    wanted = {(name, live.models()[name].version) for name in names}
    if not afresh and {(name, version) for name, _, version, _ in found} == wanted:
        return Begun(found[0][1], owner, {name: position for name, _, _, position in found})
    forget(tx)
    generation = 1 + max(standing.generation for standing in live.standings(tx, lock=True).values())
    prefix = f"g{generation}_"
    for name in names:
        model = live.models()[name]
        tx.script(model.schema(prefix))
        tx.run("UPDATE read_model_positions SET generation = ? WHERE name = ?", (generation, name))
        row = (name, prefix, model.version, 0, owner, to_text(at))
        tx.insert_many("read_model_rebuilds", _COLUMNS, [row])
    return Begun(prefix, owner, dict.fromkeys(names, 0))


_COLUMNS = ("name", "prefix", "version", "position", "owner", "taken_up_at")


def move(tx: Transaction, begun: Begun, before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Say how far the new tables of these models are that were at a position before. Raises Overtaken."""
    for name, position in after.items():
        sql = "UPDATE read_model_rebuilds SET position = ? WHERE name = ? AND owner = ? AND position = ?"
        if tx.run(sql, (position, name, begun.owner, before[name])) != 1:
            raise Overtaken(f"another process has taken up the rebuild of {name}")


def positions(tx: Transaction) -> dict[str, int]:
    """Return how far the new tables are, by model."""
    return dict(tx.rows("SELECT name, position FROM read_model_rebuilds"))


def forget(tx: Transaction) -> None:
    """The rebuild is over."""
    tx.run("DELETE FROM read_model_rebuilds")


def left_tables(tx: Transaction) -> list[str]:
    """Return the tables that nobody will go on with: of rebuilds that are forgotten, and those that were live."""
    going_on = [prefix for (prefix,) in tx.rows("SELECT DISTINCT prefix FROM read_model_rebuilds")]
    left = [table for table in tables_like(tx, "g") if _GENERATION.match(table)]
    kept = [table for table in left for p in going_on if table.startswith(p) and not table.startswith(p + OLD)]
    return [table for table in left if table not in kept]


def taken_up_at(tx: Transaction) -> str | None:
    """Return when the rebuild that is going on, or was broken off, was last taken up; None when there is none."""
    row = tx.row("SELECT max(taken_up_at) FROM read_model_rebuilds")
    return row[0] if row else None
