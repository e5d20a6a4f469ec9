"""Customers with their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import orjson

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.domain.unreadable import Unreadable
from shared.ids import text_of
from shared.read_models import groups
from shared.read_models.cards import SHOWN
from shared.read_models.entries import Body, dumps
from shared.read_models.told import told


class Customers:
    name = "customers"
    version = 4
    tables = ("customers",)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}customers (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, identities TEXT NOT NULL,
            created_at TEXT NOT NULL, position BIGINT NOT NULL, erased BIGINT NOT NULL, erased_at TEXT
        )
        """

    def indexes(self, prefix: str) -> str:
        return f"""
        CREATE INDEX IF NOT EXISTS {prefix}customers_position ON {prefix}customers (position)
        """

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        rows = [_row(r, r.event) for r in events if isinstance(r.event, e.CustomerRegistered)]
        rows += [_nameless(r) for r in events if isinstance(r.event, Unreadable) and r.event.type == _REGISTERED]
        tx.insert_many(f"{prefix}customers", _COLUMNS, rows)
        for recorded in told(events, _CHANGING):
            if isinstance(recorded.event, e.IdentityLinked):
                _link(tx, recorded.event, prefix)
            elif isinstance(recorded.event, e.CardChanged):
                _rename(tx, recorded.event, prefix)
            elif isinstance(recorded.event, e.CustomerErased):
                values = (to_text(recorded.recorded_at), str(recorded.event.customer_id))
                tx.run(f"UPDATE {prefix}customers SET erased = 1, erased_at = ? WHERE id = ?", values)


READ_MODEL = Customers()
_CHANGING = {e.IdentityLinked, e.CardChanged, e.CustomerErased}

_REGISTERED = e.CustomerRegistered.__name__
_COLUMNS = ("id", "name", "address", "identities", "created_at", "position", "erased")
_SELECT = "SELECT c.id, c.name, c.identities, c.created_at, c.position, c.erased, c.erased_at FROM customers c"


def _link(tx: Transaction, event: e.IdentityLinked, prefix: str) -> None:
    where = (str(event.customer_id),)
    row = tx.row(f"SELECT identities FROM {prefix}customers WHERE id = ?", where)
    if row is not None:
        identities = dumps([*orjson.loads(row[0]), _identity(event.address)])
        tx.run(f"UPDATE {prefix}customers SET identities = ? WHERE id = ?", (identities, *where))


def _rename(tx: Transaction, event: e.CardChanged, prefix: str) -> None:
    for change in event.changes:
        if change.field == "name":
            values = ("".join(change.after), str(event.customer_id))
            tx.run(f"UPDATE {prefix}customers SET name = ? WHERE id = ?", values)


def _identity(address: e.Address) -> Body:
    return {"kind": address.kind, "address": address.address, "name": address.name}


def _row(recorded: e.Recorded, event: e.CustomerRegistered) -> Row:
    address = event.address
    identities = dumps([_identity(address)])
    head = (text_of(event.customer_id), event.name, address.address, identities)
    return (*head, to_text(recorded.recorded_at), recorded.position, int(recorded.erased))


def _nameless(recorded: e.Recorded) -> Row:
    """Who they are cannot be read: their conversations are shown all the same."""
    at = to_text(recorded.recorded_at)
    return (text_of(recorded.stream_id), "", "", "[]", at, recorded.position, 0)


def customer(tx: Transaction, customer_id: UUID) -> Body | None:
    """Return a customer as the API shows one, with all who are merged into them.

    Asked for by the id of one who is merged into another, it is the other's; `merged_into` then says so.
    """
    root = str(groups.root(tx, customer_id))
    row = tx.row(f"{_SELECT} WHERE c.id = ?", (root,))
    if row is None:
        return None
    return {**_all_shown(tx, [row])[0], "merged_into": None if root == str(customer_id) else root}


def page(tx: Transaction, before: int | None, limit: int) -> list[Body]:
    """Return customers but those merged into others, the newest first; each with `position` for the cursor."""
    where = f"WHERE {SHOWN} AND NOT EXISTS (SELECT 1 FROM customer_groups g WHERE g.member_id = c.id)"
    where += " AND c.position < ?" if before is not None else ""
    parameters = [limit] if before is None else [before, limit]
    return _all_shown(tx, tx.rows(f"{_SELECT} {where} ORDER BY c.position DESC LIMIT ?", parameters))


def some(tx: Transaction, customer_ids: Sequence[UUID]) -> list[Body]:
    """Return those whom a list shows for some customers: each once, by whoever stands for them, in their order."""
    ids = list(map(str, customer_ids))
    roots = groups.roots(tx, ids)
    wanted = list(dict.fromkeys(roots.get(id_, id_) for id_ in ids))
    rows = {row[0]: row for row in tx.rows_in(f"{_SELECT} WHERE {SHOWN} AND c.id", wanted)}
    return _all_shown(tx, [rows[id_] for id_ in wanted if id_ in rows])


def _all_shown(tx: Transaction, rows: Sequence[Row]) -> list[Body]:
    merges = groups.merges(tx, [row[0] for row in rows])
    merged = [merge["id"] for each in merges.values() for merge in each]
    people = {row[0]: row for row in [*rows, *tx.rows_in(f"{_SELECT} WHERE c.id", merged)]}
    counts = _counts(tx, list(people))
    return [_shown(row, merges.get(row[0], []), people, counts) for row in rows]


def _counts(tx: Transaction, ids: list[str]) -> dict[str, int]:
    sql = "SELECT c.id, (SELECT count(*) FROM conversations v WHERE v.customer_id = c.id"
    sql += " AND (v.merged_into IS NULL OR v.status <> 'closed')) FROM customers c WHERE c.id"
    return dict(tx.rows_in(sql, ids))


def _shown(row: Row, merges: list[Body], people: dict[str, Row], counts: dict[str, int]) -> Body:
    members = [_member(people[merge["id"]], merge) for merge in merges]
    own = orjson.loads(row[2])
    return {
        "id": row[0],
        "name": row[1] or None,
        "identities": own + [identity for member in members for identity in member["identities"]],
        "created_at": row[3],
        "conversations": sum(counts[id_] for id_ in (row[0], *(merge["id"] for merge in merges))),
        "members": members,
        "erased": bool(row[5]),
        "erased_at": row[6],
        "position": row[4],
    }


def _member(row: Row, merge: Body) -> Body:
    return {**merge, "name": row[1] or None, "identities": orjson.loads(row[2])}
