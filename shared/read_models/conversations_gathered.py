"""What events make of the rows of conversations, before it is written: a row that ten events change is written once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.ids import texts_of
from shared.read_models import conversations_past
from shared.read_models.conversation_rows import (
    CHANGES,
    COLUMNS,
    MERGED_INTO,
    POSITION,
    STATUS,
    Values,
    change_row,
    row_begun,
    row_opened,
)

_MERGES = (e.ConversationMerged, e.ConversationUnmerged)


class Gathered:
    """Rows that were changed since the last `write`, and versions that ended.

    `takes_out`: what it takes is written in the same transaction, every row. PostgreSQL then deletes it at once: a row
    that is changed goes into every index anew in any case, and to copy it there costs half of an update by its key.
    """

    def __init__(self, prefix: str, *, takes_out: bool = False) -> None:
        self._prefix, self._takes_out = prefix, takes_out
        self._rows: dict[str, Values] = {}
        self._new: set[str] = set()
        """Rows that are not in the table."""
        self._ended: list[Row] = []
        self._kept: list[Row] = []
        self._merges: list[e.Recorded] = []

    @property
    def size(self) -> int:
        return len(self._rows) + len(self._ended) + len(self._kept)

    def take(self, tx: Transaction, events: Sequence[e.Recorded]) -> None:
        changes = [recorded for recorded in events if type(recorded.event) in CHANGES]
        ids = texts_of([_conversation_id(recorded) for recorded in changes])
        opened = {id_ for id_, r in zip(ids, changes, strict=True) if type(r.event) is e.ConversationOpened}
        self._new |= opened
        self._load(tx, set(ids).difference(opened, self._rows))
        for id_, recorded in zip(ids, changes, strict=True):
            self._change(id_, recorded)
        self._merges += [recorded for recorded in changes if isinstance(recorded.event, _MERGES)]

    def write(self, tx: Transaction) -> None:
        conversations_past.note_merges(tx, self._merges, self._prefix)
        tx.insert_many(f"{self._prefix}{conversations_past.TABLE}", conversations_past.COLUMNS, self._ended)
        tx.insert_many(f"{self._prefix}{conversations_past.KEPT}", conversations_past.KEPT_COLUMNS, self._kept)
        self._put_back(tx)
        self._rows, self._new, self._ended, self._kept, self._merges = {}, set(), [], [], []

    def _change(self, id_: str, recorded: e.Recorded) -> None:
        row = self._rows.get(id_)
        if type(recorded.event) is e.ConversationOpened:
            self._rows[id_] = row = row_opened(id_, recorded.event, recorded)
        elif row is None:  # how it was opened cannot be read
            if (row := row_begun(id_, recorded)) is None:
                return
            self._rows[id_] = row
            self._new.add(id_)
        else:
            self._ended.append(conversations_past.ended(row[POSITION], id_, _listed_as(row), recorded.position))
        change_row(row, recorded)
        if recorded.version % conversations_past.KEEP_EVERY == 0:
            self._kept.append((recorded.position, id_, recorded.version, orjson.dumps(row).decode()))

    def _load(self, tx: Transaction, ids: set[str]) -> None:
        table, columns = f"{self._prefix}conversations", ",".join(COLUMNS)
        if self._takes_out and tx.dialect == "postgres":
            found = tx.rows_in(f"DELETE FROM {table} WHERE id", list(ids), f"RETURNING {columns}")
        else:
            found = tx.rows_in(f"SELECT {columns} FROM {table} WHERE id", list(ids))
        self._rows.update((row[0], list(row)) for row in found)

    def _put_back(self, tx: Transaction) -> None:
        table, rows = f"{self._prefix}conversations", list(self._rows.values())
        if tx.dialect == "postgres":
            if not self._takes_out:
                tx.rows_in(
                    f"DELETE FROM {table} WHERE id", [id_ for id_ in self._rows if id_ not in self._new], "RETURNING 1"
                )
            tx.insert_many(table, COLUMNS, rows)
            return
        updates = ",".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
        tx.insert_many(table, COLUMNS, [row for row in rows if row[0] in self._new])
        old = [row for row in rows if row[0] not in self._new]
        tx.insert_many(table, COLUMNS, old, f"ON CONFLICT (id) DO UPDATE SET {updates}")


def _conversation_id(recorded: e.Recorded) -> UUID:
    event: Any = recorded.event
    conversation_id: UUID = event.conversation_id
    return conversation_id


def _listed_as(values: Values) -> str:
    """Return the status under which lists have a conversation."""
    status: str = values[STATUS]
    return conversations_past.HIDDEN if status == "closed" and values[MERGED_INTO] is not None else status
