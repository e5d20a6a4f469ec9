"""Who has listened to which recording, and when; also which attachments are recordings of calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.read_models.entries import Body

_COLUMNS = ("position", "at", "operator_id", "operator_name", "attachment_id", "message_id", "customer_id", "name")


class Heard:
    name = "heard"
    version = 1
    tables = ("heard",)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}heard (
            position BIGINT PRIMARY KEY, at TEXT NOT NULL, operator_id TEXT NOT NULL, operator_name TEXT NOT NULL,
            attachment_id TEXT NOT NULL, message_id TEXT NOT NULL, customer_id TEXT NOT NULL, name TEXT NOT NULL
        )
        """

    def indexes(self, prefix: str) -> str:
        return f"CREATE INDEX IF NOT EXISTS {prefix}heard_message ON {prefix}heard (message_id, position)"

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        rows = [_row(recorded, recorded.event) for recorded in events if isinstance(recorded.event, e.RecordingHeard)]
        tx.insert_many(f"{prefix}heard", _COLUMNS, rows)


READ_MODEL = Heard()


@dataclass(frozen=True, slots=True)
class Recording:
    """An attachment that is the recording of a call."""

    attachment_id: UUID
    message_id: UUID
    customer_id: UUID
    name: str


def _row(recorded: e.Recorded, event: e.RecordingHeard) -> Row:
    ids = (str(event.attachment_id), str(event.message_id), str(event.customer_id))
    actor = recorded.actor
    return (recorded.position, to_text(recorded.occurred_at), actor.id, actor.name, *ids, event.name)


def recording(tx: Transaction, attachment_id: UUID) -> Recording | None:
    """Return the recording an attachment is, None for any other file."""
    sql = (
        "SELECT t.id, t.customer_id, a.name FROM attachments a JOIN timeline t ON t.id = a.message_id AND t.changes = 1"
        " WHERE a.id = ? AND t.kind = 'call'"
    )
    row = tx.row(sql, (str(attachment_id),))
    return Recording(attachment_id, UUID(row[0]), UUID(row[1]), row[2]) if row else None


def page(tx: Transaction, message_id: UUID | None, before: int | None, limit: int) -> list[Body]:
    """Return who listened, the last one first: to the recordings of one call, or to any."""
    found = (("message_id = ?", str(message_id) if message_id else None), ("position < ?", before))
    given = [(where, value) for where, value in found if value is not None]
    where = f"WHERE {' AND '.join(where for where, _ in given)}" if given else ""
    sql = f"SELECT {','.join(_COLUMNS)} FROM heard {where} ORDER BY position DESC LIMIT ?"
    return [_shown(row) for row in tx.rows(sql, [*(value for _, value in given), limit])]


def _shown(row: Row) -> Body:
    values = dict(zip(_COLUMNS, row, strict=True))
    operator = {"id": values.pop("operator_id"), "name": values.pop("operator_name")}
    return {**values, "operator": operator}
