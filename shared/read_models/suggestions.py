"""Pairs of customers who may be one, as operators see them: two groups once, none that somebody has refused.

Kept beside the groups: who stands for each of the two is brought up to date with every merge and un-merge.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import orjson

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.read_models.entries import Body, dumps

TABLE = "merge_suggestions"
_COLUMNS = (
    "id", "customer_id", "other_id", "root_id", "other_root_id", "state", "reasons", "suggested_at", "position",
)  # fmt: skip


def schema(prefix: str) -> str:
    table = f"{prefix}{TABLE}"
    return f"""
    CREATE TABLE IF NOT EXISTS {table} (
        id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, other_id TEXT NOT NULL, root_id TEXT NOT NULL,
        other_root_id TEXT NOT NULL, state TEXT NOT NULL, reasons TEXT NOT NULL, suggested_at TEXT NOT NULL,
        position BIGINT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS {table}_customer ON {table} (customer_id);
    CREATE INDEX IF NOT EXISTS {table}_other ON {table} (other_id)
    """


def indexes(prefix: str) -> str:
    table = f"{prefix}{TABLE}"
    return f"""
    CREATE INDEX IF NOT EXISTS {table}_root ON {table} (root_id);
    CREATE INDEX IF NOT EXISTS {table}_other_root ON {table} (other_root_id);
    CREATE INDEX IF NOT EXISTS {table}_state ON {table} (state, position)
    """


def suggest(tx: Transaction, event: e.MergeSuggested, recorded: e.Recorded, roots: Sequence[str], prefix: str) -> None:
    """Keep a pair, or further reasons for one."""
    id_, reasons = str(event.suggestion_id), [_reason(reason) for reason in event.reasons]
    row = tx.row(f"SELECT reasons FROM {prefix}{TABLE} WHERE id = ?", (id_,))
    if row is not None:
        tx.run(f"UPDATE {prefix}{TABLE} SET reasons = ? WHERE id = ?", (dumps([*orjson.loads(row[0]), *reasons]), id_))
        return
    pair = (str(event.customer_id), str(event.other_id))
    rest = (dumps(reasons), to_text(recorded.occurred_at), recorded.position)
    tx.insert_many(f"{prefix}{TABLE}", _COLUMNS, [(id_, *pair, *roots, "open", *rest)])


def refuse(tx: Transaction, event: e.MergeRefused, prefix: str) -> None:
    tx.run(f"UPDATE {prefix}{TABLE} SET state = 'refused' WHERE id = ?", (str(event.suggestion_id),))


def withdraw(tx: Transaction, customer_id: UUID, prefix: str) -> None:
    """Of somebody who was erased nobody can say who they are."""
    where = "state = 'open' AND (customer_id = ? OR other_id = ?)"
    tx.run(f"UPDATE {prefix}{TABLE} SET state = 'erased' WHERE {where}", (str(customer_id), str(customer_id)))


def stands_for(tx: Transaction, root: str, customers: Sequence[str], prefix: str) -> None:
    """From now on `root` stands for these customers."""
    for column, whose in (("root_id", "customer_id"), ("other_root_id", "other_id")):
        tx.run_many(f"UPDATE {prefix}{TABLE} SET {column} = ? WHERE {whose} = ?", [(root, id_) for id_ in customers])


def _reason(reason: e.Reason) -> Body:
    return {
        "evidence": reason.evidence,
        "kind": reason.kind,
        "address": reason.address,
        "customer_id": str(reason.customer_id),
        "message_id": str(reason.message_id) if reason.message_id else None,
    }


# --- queries ----------------------------------------------------------------------------------------------

_OPEN = f"""
SELECT s.position, s.id, s.suggested_at, s.reasons, a.id, a.name, a.address, b.id, b.name, b.address
FROM {TABLE} s JOIN customers a ON a.id = s.root_id JOIN customers b ON b.id = s.other_root_id
WHERE s.state = 'open' AND s.root_id <> s.other_root_id AND NOT EXISTS (
    SELECT 1 FROM {TABLE} r WHERE r.state = 'refused' AND (
        (r.root_id = s.root_id AND r.other_root_id = s.other_root_id)
        OR (r.root_id = s.other_root_id AND r.other_root_id = s.root_id)
    )
)"""
MOST = 50


def of_customer(tx: Transaction, root_id: UUID) -> list[Body]:
    """Return the open suggestions for a group, the newest first, each other group once with all its reasons."""
    where = f"{_OPEN} AND (s.root_id = ? OR s.other_root_id = ?) ORDER BY s.position DESC LIMIT ?"
    found: dict[str, Body] = {}
    for body in map(_shown, tx.rows(where, (str(root_id), str(root_id), MOST))):
        if body["customer"]["id"] != str(root_id):
            body["customer"], body["other"] = body["other"], body["customer"]
        known = found.setdefault(body["other"]["id"], body)
        if known is not body:
            known["reasons"] += [reason for reason in body["reasons"] if reason not in known["reasons"]]
    return list(found.values())


def page(tx: Transaction, before: int | None, limit: int) -> list[Body]:
    """Return all open suggestions, the newest first; each with `position` for the cursor."""
    where = _OPEN if before is None else f"{_OPEN} AND s.position < ?"
    parameters = [limit] if before is None else [before, limit]
    return [_shown(row) for row in tx.rows(f"{where} ORDER BY s.position DESC LIMIT ?", parameters)]


def _shown(row: Row) -> Body:
    position, id_, suggested_at, reasons, *people = row
    customer, other = (
        {"id": id_, "name": name or None, "address": address} for id_, name, address in (people[:3], people[3:])
    )
    head = {"id": id_, "customer": customer, "other": other, "reasons": orjson.loads(reasons)}
    return {**head, "suggested_at": suggested_at, "position": position}
