"""Ends a further attempt that waits when one it was made for was sent after all.

It was made for those named in `OutboundReply.lost`: after a bounce for none, so then it goes out whatever is found.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec

from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Transaction

SENT_BEFORE = "an earlier attempt was sent after all, so this one was not"
_WAITS = "state IN ('queued', 'waiting')"
_decoder = msgspec.json.Decoder(OutboundReply)


def waiting_after(tx: Transaction, reply_id: UUID, attempt: int) -> list[OutboundReply]:
    """Return the later attempts of a reply that are not being sent and have no fate."""
    sql = f"SELECT payload FROM deliveries WHERE reply_id = ? AND attempt > ? AND {_WAITS}"
    return [_decoder.decode(payload) for (payload,) in tx.rows(sql, (str(reply_id), attempt))]


def end_needless(tx: Transaction, attempts: Iterable[OutboundReply], owner: str, at: str) -> None:
    """Fail those that wait and were made for one that was sent; `owner` tells of it."""
    for reply in attempts:
        if reply.lost and _sent(tx, reply.id) & set(reply.lost):
            sql = (
                "UPDATE deliveries SET state = 'failed', error = ?, changed_at = ?, owner = ?"
                f" WHERE reply_id = ? AND attempt = ? AND {_WAITS}"
            )
            tx.run(sql, (SENT_BEFORE, at, owner, str(reply.id), reply.attempt))


def _sent(tx: Transaction, reply_id: UUID) -> set[int]:
    rows = tx.rows("SELECT attempt FROM deliveries WHERE reply_id = ? AND state = 'sent'", (str(reply_id),))
    return {attempt for (attempt,) in rows}
