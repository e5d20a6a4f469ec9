"""How often a reply that still waits was tried: the ledger of outbound knows it, so no event need tell of each try."""

from __future__ import annotations

from services.inbox_api.channel_names import Body
from shared.database.protocol import Transaction


def with_tries(tx: Transaction, bodies: list[Body]) -> list[Body]:
    """Put the tries of the present attempt into what is queued: for what is shown now, nobody knows of earlier ones."""
    queued = {body["id"]: body for body in bodies if (body.get("delivery") or {}).get("state") == "queued"}
    sql = "SELECT reply_id, tries FROM deliveries WHERE reply_id"
    tail = " AND state IN ('queued', 'waiting', 'sending')"
    for reply_id, tries in tx.rows_in(sql, list(queued), tail) if queued else []:
        body = queued[reply_id]
        body["delivery"] = {**body["delivery"], "attempts": tries}
    return bodies
