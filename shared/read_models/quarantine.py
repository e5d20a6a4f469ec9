"""What arrived and could not be understood, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.read_models.entries import Body

_COLUMNS = (
    "id", "channel_id", "external_id", "received_at", "reason", "raw_sha256", "raw_size", "state", "position",
)  # fmt: skip


class Quarantine:
    name = "quarantine"
    version = 1
    tables = ("quarantine",)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}quarantine (
            id TEXT PRIMARY KEY, channel_id TEXT NOT NULL, external_id TEXT NOT NULL, received_at TEXT NOT NULL,
            reason TEXT NOT NULL, raw_sha256 TEXT NOT NULL, raw_size BIGINT NOT NULL, state TEXT NOT NULL,
            position BIGINT NOT NULL
        )
        """

    def indexes(self, prefix: str) -> str:
        return ""

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        for recorded in events:
            match recorded.event:
                case e.InboundQuarantined() as event:
                    _add(tx, event, recorded, prefix)
                case e.QuarantineRetried(item_id):
                    _set_state(tx, item_id, "retrying", prefix)
                case e.QuarantineResolved(item_id):
                    _set_state(tx, item_id, "resolved", prefix)


READ_MODEL = Quarantine()


def _add(tx: Transaction, event: e.InboundQuarantined, recorded: e.Recorded, prefix: str) -> None:
    received = to_text(recorded.occurred_at)
    head = (str(event.item_id), str(event.channel_id), event.external_id, received, event.reason)
    tx.insert_many(
        f"{prefix}quarantine",
        _COLUMNS,
        [(*head, event.raw.sha256, event.raw.size, "waiting", recorded.position)],
        "ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, state = excluded.state",
    )


def _set_state(tx: Transaction, item_id: UUID, state: str, prefix: str) -> None:
    tx.run(f"UPDATE {prefix}quarantine SET state = ? WHERE id = ?", (state, str(item_id)))


def page(tx: Transaction, before: int | None, limit: int) -> list[Body]:
    """Return quarantined items, the newest first."""
    where = "WHERE position < ?" if before is not None else ""
    parameters = [limit] if before is None else [before, limit]
    sql = f"SELECT {','.join(_COLUMNS)} FROM quarantine {where} ORDER BY position DESC LIMIT ?"
    return [_shown(row) for row in tx.rows(sql, parameters)]


def item(tx: Transaction, item_id: UUID) -> Body | None:
    """Return one quarantined item."""
    row = tx.row(f"SELECT {','.join(_COLUMNS)} FROM quarantine WHERE id = ?", (str(item_id),))
    return _shown(row) if row else None


def waiting_count(tx: Transaction) -> int:
    """Return how many items wait for somebody."""
    row = tx.row("SELECT count(*) FROM quarantine WHERE state <> 'resolved'")
    return int(row[0]) if row else 0


def _shown(row: Row) -> Body:
    values = dict(zip(_COLUMNS, row, strict=True))
    sha256, size = values.pop("raw_sha256"), values.pop("raw_size")
    return {**values, "raw": {"sha256": sha256, "size": size, "url": f"/api/v1/raw/{values['position']}"}}
