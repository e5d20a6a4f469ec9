"""The ledger's rows: every channel with its counts, and what the channel itself last said of how it fares."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.audit.ledger import Counts, Ledger
from shared.database.protocol import Transaction

Body = dict[str, Any]


def rows_of(tx: Transaction, ledger: Ledger) -> list[Body]:
    """Return a row for each channel there is, and for those that history speaks of."""
    known = tx.rows("SELECT id, kind, name, state FROM channels ORDER BY created_at, id")
    told = _told(tx)
    rows = [
        _row(id_, kind, name, state, ledger.counts.get(UUID(id_)), told.get(id_, []))
        for id_, kind, name, state in known
        if state != "removed" or UUID(id_) in ledger.counts
    ]
    strangers = ledger.counts.keys() - {UUID(id_) for id_, *_ in known}
    return rows + [_row(str(id_), "", "", "unknown", ledger.counts[id_], []) for id_ in sorted(strangers, key=str)]


def _told(tx: Transaction) -> dict[str, list[Body]]:
    """What receivers, senders and the comparison with a provider's history reported last."""
    found: dict[str, list[Body]] = {}
    sql = "SELECT channel_id, role, problem, lag, last_received_at, reported_at FROM channel_health ORDER BY role"
    for id_, role, problem, lag, received, at in tx.rows(sql):
        told = {"by": role, "problem": problem or None, "lag": lag, "last_received_at": received, "at": at}
        found.setdefault(id_, []).append(told)
    return found


def _row(id_: str, kind: str, name: str, state: str, counts: Counts | None, told: list[Body]) -> Body:
    counted = counts or Counts()
    numbers = {name: getattr(counted, name) for name in ("received", *Counts.__slots__)}
    problems = [each["problem"] for each in told if each["problem"]]
    lags = [each["lag"] for each in told if each["lag"] is not None]
    head = {"id": id_, "kind": kind, "name": name, "state": state}
    return {**head, **numbers, "lag": max(lags, default=None), "problem": "; ".join(problems) or None, "told": told}
