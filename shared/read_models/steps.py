"""What is due: one row a step, as it stands now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.read_models import groups
from shared.read_models.entries import Body

_COLUMNS = (
    "id", "customer_id", "conversation_id", "what", "note", "state", "due_at", "operator_id", "planned_at", "ended_at",
    "position",
)  # fmt: skip
_SELECT = f"SELECT s.position, {','.join('s.' + name for name in _COLUMNS)}, u.id, u.name, u.address FROM steps s"
_JOIN = (
    "LEFT JOIN customer_groups g ON g.member_id = s.customer_id"
    " LEFT JOIN customers u ON u.id = coalesce(g.root_id, s.customer_id)"
)


class Steps:
    name = "steps"
    version = 2
    tables = ("steps",)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}steps (
            id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, conversation_id TEXT, what TEXT NOT NULL,
            note TEXT NOT NULL, state TEXT NOT NULL, due_at TEXT NOT NULL, operator_id TEXT, planned_at TEXT NOT NULL,
            ended_at TEXT, position BIGINT NOT NULL
        )
        """

    def indexes(self, prefix: str) -> str:
        return f"""
        CREATE INDEX IF NOT EXISTS {prefix}steps_state ON {prefix}steps (state, position);
        CREATE INDEX IF NOT EXISTS {prefix}steps_customer ON {prefix}steps (customer_id, position)
        """

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        for recorded in events:
            if isinstance(recorded.event, e.StepPlanned):
                tx.insert_many(f"{prefix}steps", _COLUMNS, [_row(recorded.event, recorded)])
            elif isinstance(recorded.event, e.StepPostponed):
                values = (to_text(recorded.event.due_at), recorded.position, str(recorded.event.step_id))
                tx.run(f"UPDATE {prefix}steps SET due_at = ?, position = ? WHERE id = ?", values)
            elif isinstance(recorded.event, e.StepDone | e.StepDeclined):
                _end(tx, recorded.event, recorded, prefix)


READ_MODEL = Steps()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which steps; None: all."""

    state: str | None = "planned"
    customer_id: UUID | None = None
    operator_id: UUID | None = None


def _row(event: e.StepPlanned, recorded: e.Recorded) -> Row:
    conversation = str(event.conversation_id) if event.conversation_id else None
    operator = str(event.operator_id) if event.operator_id else None
    head = (str(event.step_id), str(event.customer_id), conversation, event.what, event.note, "planned")
    return (*head, to_text(event.due_at), operator, to_text(recorded.occurred_at), None, recorded.position)


def _end(tx: Transaction, event: e.StepDone | e.StepDeclined, recorded: e.Recorded, prefix: str) -> None:
    state = "done" if isinstance(event, e.StepDone) else "declined"
    sql = f"UPDATE {prefix}steps SET state = ?, note = CASE ? WHEN '' THEN note ELSE ? END, ended_at = ?, position = ?"
    values = (state, event.note, event.note, to_text(recorded.occurred_at), recorded.position, str(event.step_id))
    tx.run(f"{sql} WHERE id = ?", values)


# --- queries ----------------------------------------------------------------------------------------------


def step(tx: Transaction, step_id: UUID) -> Body | None:
    """Return one step as the API shows it."""
    row = tx.row(f"{_SELECT} {_JOIN} WHERE s.id = ?", (str(step_id),))
    return _shown(row) if row else None


def page(tx: Transaction, wanted: Wanted, before: int | None, limit: int) -> list[Body]:
    """Return steps, the one changed last first; `before`: a position from an earlier page."""
    found = (
        ("s.state = ?", wanted.state),
        ("s.operator_id = ?", str(wanted.operator_id) if wanted.operator_id else None),
        ("s.position < ?", before),
    )
    given = [(where, value) for where, value in found if value is not None]
    wheres, values = [where for where, _ in given], [value for _, value in given]
    if wanted.customer_id is not None:
        sql = f"{_SELECT} {_JOIN} WHERE {' AND '.join(['s.customer_id = ?', *wheres])}"
        whose = groups.members(tx, wanted.customer_id)
        return [_shown(row) for row in groups.range_of(tx, sql, whose, values, "s.position DESC", limit)]
    where = f"WHERE {' AND '.join(wheres)}" if given else ""
    return [
        _shown(row) for row in tx.rows(f"{_SELECT} {_JOIN} {where} ORDER BY s.position DESC LIMIT ?", [*values, limit])
    ]


def ids_of_customer(tx: Transaction, customer_id: UUID) -> list[UUID]:
    """Return the ids of all steps of a customer."""
    return [UUID(i) for (i,) in tx.rows("SELECT id FROM steps WHERE customer_id = ?", (str(customer_id),))]


def _shown(row: Row) -> Body:
    values = dict(zip(_COLUMNS, row[1:], strict=False))
    id_, name, address = row[-3:]
    values["customer_id"] = id_ or values["customer_id"]
    return {**values, "customer": {"id": values["customer_id"], "name": name or None, "address": address}}
