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
from shared.read_models.told import told

_COLUMNS = (
    "id", "customer_id", "conversation_id", "what", "note", "state", "due_at", "operator_id", "planned_at", "ended_at",
    "position",
)  # fmt: skip
_SELECT = (
    f"SELECT s.position, {','.join('s.' + name for name in _COLUMNS)}, u.id, u.name, u.address, u.erased FROM steps s"
)
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
        CREATE INDEX IF NOT EXISTS {prefix}steps_due ON {prefix}steps (state, due_at, id);
        CREATE INDEX IF NOT EXISTS {prefix}steps_customer ON {prefix}steps (customer_id, state, due_at, id);
        CREATE INDEX IF NOT EXISTS {prefix}steps_operator ON {prefix}steps (operator_id, state, due_at, id)
        """

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        for recorded in told(events, _TOLD):
            if isinstance(recorded.event, e.StepPlanned):
                tx.insert_many(f"{prefix}steps", _COLUMNS, [_row(recorded.event, recorded)])
            elif isinstance(recorded.event, e.StepPostponed):
                values = (to_text(recorded.event.due_at), recorded.position, str(recorded.event.step_id))
                tx.run(f"UPDATE {prefix}steps SET due_at = ?, position = ? WHERE id = ?", values)
            elif isinstance(recorded.event, e.StepDone | e.StepDeclined):
                _end(tx, recorded.event, recorded, prefix)


READ_MODEL = Steps()
_TOLD = {e.StepPlanned, e.StepPostponed, e.StepDone, e.StepDeclined}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which steps; None: all."""

    state: str | None = "planned"
    customer_id: UUID | None = None
    operator_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """Where a list by due time goes on: after this step."""

    at: str
    id: str


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
    where, values = _where(tx, wanted, ("s.position < ?", before))
    return [
        _shown(row) for row in tx.rows(f"{_SELECT} {_JOIN} {where} ORDER BY s.position DESC LIMIT ?", (*values, limit))
    ]


def by_due(tx: Transaction, wanted: Wanted, after: Due | None, limit: int) -> list[Body]:
    """Return steps, the most urgent first; `after`: the last one of the page before."""
    where, values = _where(tx, wanted)
    if after is not None:
        where, values = f"{where} AND (s.due_at, s.id) > (?, ?)", [*values, after.at, after.id]
    sql = f"{_SELECT} {_JOIN} {where} ORDER BY s.due_at, s.id LIMIT ?"
    return [_shown(row) for row in tx.rows(sql, (*values, limit))]


def counts(tx: Transaction, wanted: Wanted, now: str, today_until: str) -> dict[str, int]:
    """Return how many steps are overdue, due before `today_until`, and due later."""
    today_until = max(now, today_until)
    parts = {
        "overdue": (("s.due_at < ?", now),),
        "today": (("s.due_at >= ?", now), ("s.due_at < ?", today_until)),
        "later": (("s.due_at >= ?", today_until),),
    }
    return {name: _count(tx, *_where(tx, wanted, *when)) for name, when in parts.items()}


def _count(tx: Transaction, where: str, values: Sequence[object]) -> int:
    row = tx.row(f"SELECT count(*) FROM steps s {where}", values)
    return int(row[0]) if row else 0


def _where(tx: Transaction, wanted: Wanted, *more: tuple[str, object]) -> tuple[str, list[object]]:
    found = (
        ("s.state = ?", wanted.state),
        ("s.operator_id = ?", str(wanted.operator_id) if wanted.operator_id else None),
        *more,
    )
    given = [(where, value) for where, value in found if value is not None]
    if wanted.customer_id is not None:
        whose = groups.members(tx, wanted.customer_id)
        is_one = "= ?" if len(whose) == 1 else f"IN ({','.join('?' * len(whose))})"
        given += [(f"s.customer_id {is_one}", id_) for id_ in whose[:1]]
        values = [value for _, value in given] + whose[1:]
    else:
        values = [value for _, value in given]
    return (f"WHERE {' AND '.join(where for where, _ in given)}" if given else ""), values


def ids_of_customer(tx: Transaction, customer_id: UUID) -> list[UUID]:
    """Return the ids of all steps of a customer."""
    return [UUID(i) for (i,) in tx.rows("SELECT id FROM steps WHERE customer_id = ?", (str(customer_id),))]


def _shown(row: Row) -> Body:
    values = dict(zip(_COLUMNS, row[1:], strict=False))
    id_, name, address, erased = row[-4:]
    values["customer_id"] = id_ or values["customer_id"]
    who = {"id": values["customer_id"], "name": name or None, "address": address, "erased": bool(erased)}
    return {**values, "customer": who}
