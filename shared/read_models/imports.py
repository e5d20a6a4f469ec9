"""Imports of customers: who, which file, how far, what became of the rows, and whether it was undone."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import orjson

from shared.clock import to_text
from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.read_models.entries import Body, dumps

_COLUMNS = (
    "id", "file", "columns", "country", "state", "started_at", "started_by", "changed_at", "row_number", "new", "known",
    "changed", "conflict", "wrong", "restored", "left_alone", "retired", "position",
)  # fmt: skip
_NUMBERS = _COLUMNS[8:17]
_EVENTS = (e.ImportAdvanced, e.ImportFinished, e.ImportUndoStarted, e.ImportUndone)


class Imports:
    name = "imports"
    version = 1
    tables = ("imports",)

    def schema(self, prefix: str) -> str:
        numbers = ", ".join(f"{name} BIGINT NOT NULL" for name in _NUMBERS)
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}imports (
            id TEXT PRIMARY KEY, file TEXT NOT NULL, columns TEXT NOT NULL, country TEXT NOT NULL, state TEXT NOT NULL,
            started_at TEXT NOT NULL, started_by TEXT NOT NULL, changed_at TEXT NOT NULL, {numbers},
            position BIGINT NOT NULL
        )
        """

    def indexes(self, prefix: str) -> str:
        return f"CREATE INDEX IF NOT EXISTS {prefix}imports_position ON {prefix}imports (position)"

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        for recorded in events:
            if isinstance(recorded.event, e.ImportStarted):
                tx.insert_many(f"{prefix}imports", _COLUMNS, [_row(recorded.event, recorded)])
            elif isinstance(recorded.event, _EVENTS):
                _change(tx, recorded.event, recorded, prefix)


READ_MODEL = Imports()


def _row(event: e.ImportStarted, recorded: e.Recorded) -> Row:
    actor, at = recorded.actor, to_text(recorded.recorded_at)
    by = dumps({"kind": actor.kind, "id": actor.id or None, "name": actor.name or None})
    columns = dumps([{"column": column, "field": field} for column, field in event.columns])
    head = (str(event.import_id), event.file, columns, event.country, "running", at, by, at)
    return (*head, *[0] * len(_NUMBERS), recorded.position)


def _change(
    tx: Transaction, event: e.ImportAdvanced | e.ImportFinished | e.ImportUndoStarted | e.ImportUndone,
    recorded: e.Recorded, prefix: str,
) -> None:  # fmt: skip
    match event:
        case e.ImportAdvanced():
            added = ("new", "known", "changed", "conflict", "wrong")
            sets = ", ".join(["row_number = ?", *(f"{name} = {name} + ?" for name in added)])
            values: tuple[object, ...] = (event.row, *(getattr(event, name) for name in added))
        case e.ImportFinished():
            sets, values = "state = ?", ("finished",)
        case e.ImportUndoStarted():
            sets, values = "state = ?", ("undoing",)
        case e.ImportUndone():
            sets = "state = ?, restored = ?, left_alone = ?, retired = ?"
            values = ("undone", event.restored, event.left, event.retired)
    where = (to_text(recorded.recorded_at), str(event.import_id))
    tx.run(f"UPDATE {prefix}imports SET {sets}, changed_at = ? WHERE id = ?", (*values, *where))


# --- queries ----------------------------------------------------------------------------------------------


def page(tx: Transaction, before: int | None, limit: int) -> list[Body]:
    """Return imports, the newest first; `before`: a position of an earlier page."""
    where, parameters = ("WHERE position < ?", [before, limit]) if before is not None else ("", [limit])
    sql = f"SELECT {', '.join(_COLUMNS)} FROM imports {where} ORDER BY position DESC LIMIT ?"
    return [_shown(row) for row in tx.rows(sql, parameters)]


def one(tx: Transaction, import_id: UUID) -> Body | None:
    """Return one import as the API shows it."""
    row = tx.row(f"SELECT {', '.join(_COLUMNS)} FROM imports WHERE id = ?", (str(import_id),))
    return _shown(row) if row else None


def _shown(row: Row) -> Body:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["columns"], values["started_by"] = orjson.loads(values["columns"]), orjson.loads(values["started_by"])
    values["row"], values["left"] = values.pop("row_number"), values.pop("left_alone")
    return values
