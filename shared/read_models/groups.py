"""Which customers are shown as one: a row for each who is merged into another, and the suggestions to merge.

Nothing else knows of merges: every other table keeps the customer of its events, and queries ask here for the members
of a group. So un-merging takes a few rows away, and everything is as if the merge had never happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.read_models import suggestions
from shared.read_models.entries import Body
from shared.read_models.told import told

AT_ONCE = 100
"""So many members are asked for in one statement."""


class Groups:
    name = "groups"
    version = 2
    tables = ("customer_groups", suggestions.TABLE)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}customer_groups (
            member_id TEXT PRIMARY KEY, into_id TEXT NOT NULL, root_id TEXT NOT NULL, merged_at TEXT NOT NULL,
            merged_by TEXT NOT NULL
        );
        CREATE INDEX IF NOT EXISTS {prefix}customer_groups_root ON {prefix}customer_groups (root_id);
        CREATE INDEX IF NOT EXISTS {prefix}customer_groups_into ON {prefix}customer_groups (into_id);
        {suggestions.schema(prefix)}
        """

    def indexes(self, prefix: str) -> str:
        return suggestions.indexes(prefix)

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        for recorded in told(events, _TOLD):
            match recorded.event:
                case e.CustomersMerged() as event:
                    _merge(tx, event, recorded, prefix)
                case e.CustomerUnmerged() as event:
                    _unmerge(tx, event, prefix)
                case e.MergeSuggested() as event:
                    roots = [_root(tx, id_, prefix) for id_ in (event.customer_id, event.other_id)]
                    suggestions.suggest(tx, event, recorded, roots, prefix)
                case e.MergeRefused() as event:
                    suggestions.refuse(tx, event, prefix)
                case e.CustomerErased() as event:
                    suggestions.withdraw(tx, event.customer_id, prefix)


READ_MODEL = Groups()
_TOLD = {e.CustomersMerged, e.CustomerUnmerged, e.MergeSuggested, e.MergeRefused, e.CustomerErased}

_COLUMNS = ("member_id", "into_id", "root_id", "merged_at", "merged_by")


def _merge(tx: Transaction, event: e.CustomersMerged, recorded: e.Recorded, prefix: str) -> None:
    member, root = str(event.customer_id), str(event.root_id)
    _end_stale(tx, (member, root), prefix)
    tx.run(f"UPDATE {prefix}customer_groups SET root_id = ? WHERE root_id = ?", (root, member))
    row = (member, str(event.into_id), root, to_text(recorded.occurred_at), recorded.actor.name)
    tx.insert_many(f"{prefix}customer_groups", _COLUMNS, [row])
    suggestions.stands_for(tx, root, [member, *below(tx, member, prefix)], prefix)


def _end_stale(tx: Transaction, those: Sequence[str], prefix: str) -> None:
    """Both stood for themselves: where they do not, that was undone by an event that could not be read."""
    for (id_,) in tx.rows_in(f"SELECT member_id FROM {prefix}customer_groups WHERE member_id", those):
        _take_out(tx, id_, prefix)


def _unmerge(tx: Transaction, event: e.CustomerUnmerged, prefix: str) -> None:
    _take_out(tx, str(event.customer_id), prefix)


def _take_out(tx: Transaction, member: str, prefix: str) -> None:
    tx.run(f"DELETE FROM {prefix}customer_groups WHERE member_id = ?", (member,))
    those_below = below(tx, member, prefix)
    sql = f"UPDATE {prefix}customer_groups SET root_id = ? WHERE member_id = ?"
    tx.run_many(sql, [(member, id_) for id_ in those_below])
    suggestions.stands_for(tx, member, [member, *those_below], prefix)


def below(tx: Transaction, customer_id: str, prefix: str = "") -> list[str]:
    """Return all who are merged into a customer, directly or not."""
    found, new = list[str](), [customer_id]
    while new:
        sql = f"SELECT member_id FROM {prefix}customer_groups WHERE into_id"
        new = sorted({id_ for (id_,) in tx.rows_in(sql, new)}.difference(found, (customer_id,)))
        found += new
    return found


def _root(tx: Transaction, customer_id: UUID, prefix: str = "") -> str:
    sql = f"SELECT root_id FROM {prefix}customer_groups WHERE member_id = ?"
    row = tx.row(sql, (str(customer_id),))
    return row[0] if row else str(customer_id)


# --- queries ----------------------------------------------------------------------------------------------


def root(tx: Transaction, customer_id: UUID) -> UUID:
    """Return who stands for a customer: themselves if they are not merged into another."""
    return UUID(_root(tx, customer_id))


def members(tx: Transaction, customer_id: UUID) -> list[str]:
    """Return the ids of all customers shown together with one, of whichever of them; who stands for them first."""
    root = _root(tx, customer_id)
    rows = tx.rows("SELECT member_id FROM customer_groups WHERE root_id = ? ORDER BY merged_at, member_id", (root,))
    return [root, *(id_ for (id_,) in rows)]


def merges(tx: Transaction, root_ids: Sequence[str]) -> dict[str, list[Body]]:
    """Return who is merged into each of some customers, into whom directly, when and by whom."""
    sql = f"SELECT root_id, {','.join(_COLUMNS)} FROM customer_groups WHERE root_id"
    found: dict[str, list[Body]] = {}
    for root, id_, into, _, at, by in sorted(tx.rows_in(sql, list(root_ids)), key=lambda row: (row[4], row[1])):
        found.setdefault(root, []).append({"id": id_, "into": into, "merged_at": at, "merged_by": by or None})
    return found


def roots(tx: Transaction, customer_ids: Iterable[str]) -> dict[str, str]:
    """Return who stands for those of some customers who are merged into others."""
    return dict(tx.rows_in("SELECT member_id, root_id FROM customer_groups WHERE member_id", list(set(customer_ids))))


def as_one(tx: Transaction, bodies: list[Body]) -> list[Body]:
    """Return the same with the id of who stands for the customer as `customer_id`."""
    stands_for = roots(tx, (body["customer_id"] for body in bodies))
    for body in bodies if stands_for else ():
        body["customer_id"] = stands_for.get(body["customer_id"], body["customer_id"])
    return bodies


def range_of(
    tx: Transaction, sql: str, whose: Sequence[str], parameters: Sequence[object], order: str, limit: int
) -> list[Row]:
    """Return the first `limit` rows of all members by their first column, reading no more than that of each.

    `sql` selects those of one: its first parameter is the customer, `parameters` follow, and it has no ORDER BY.
    """
    one = f"{sql} ORDER BY {order} LIMIT ?"
    if len(whose) == 1:
        return tx.rows(one, [whose[0], *parameters, limit])
    found: list[Row] = []
    for start in range(0, len(whose), AT_ONCE):
        part = whose[start : start + AT_ONCE]
        union = " UNION ALL ".join(f"SELECT * FROM ({one}) AS m{number}" for number in range(len(part)))
        values: list[Any] = [value for id_ in part for value in (id_, *parameters, limit)]
        found += tx.rows(f"SELECT * FROM ({union}) AS g ORDER BY 1 {_direction(order)} LIMIT ?", [*values, limit])
    return sorted(found, key=lambda row: row[0], reverse=_direction(order) == "DESC")[:limit]


def _direction(order: str) -> str:
    return "DESC" if order.endswith("DESC") else "ASC"
