"""How long each version of a conversation's row stood: the list of conversations at any past moment.

Every fiftieth version is kept whole, so that any other is made of few events however long a conversation is.

A row is written when a version ends. `level` is the power of two its length reaches, in positions: of the versions of a
level, one that stood at a position began at most twice that before it, so an index finds all that stood then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from shared.database.protocol import Row, Transaction
from shared.domain import events as e

TABLE = "conversations_past"
COLUMNS = ("until", "position", "conversation_id", "status", "level")
KEPT = "conversations_kept"
KEPT_COLUMNS = ("position", "conversation_id", "version", "body")
KEEP_EVERY = 50
STATUSES = ("open", "snoozed", "closed")
HIDDEN = "merged"
"""The status here of one that is closed because it goes on in another: no list has it."""
GONE_ON = "conversations_gone_on"
"""From which position to which a conversation went on in another."""
AT_ONCE = 40
"""Ranges in one statement."""


class Kept(NamedTuple):
    """A version that is kept whole; `body`: the row of the table `conversations`, as JSON."""

    position: int
    version: int
    body: str


class Version(NamedTuple):
    """A conversation as it stood: changed last at `position`."""

    position: int
    conversation_id: str


def schema(prefix: str) -> str:
    return f"""
    CREATE TABLE IF NOT EXISTS {prefix}{TABLE} (
        until BIGINT PRIMARY KEY, position BIGINT NOT NULL, conversation_id TEXT NOT NULL, status TEXT NOT NULL,
        level BIGINT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS {prefix}{KEPT} (
        position BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, version BIGINT NOT NULL, body TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS {prefix}{GONE_ON} (
        position BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, into_id TEXT NOT NULL, until BIGINT
    );
    CREATE INDEX IF NOT EXISTS {prefix}{GONE_ON}_conversation ON {prefix}{GONE_ON} (conversation_id)
    """


def indexes(prefix: str) -> str:
    return f"""
    CREATE INDEX IF NOT EXISTS {prefix}{TABLE}_stood ON {prefix}{TABLE} (status, level, position);
    CREATE INDEX IF NOT EXISTS {prefix}{KEPT}_conversation ON {prefix}{KEPT} (conversation_id, position);
    CREATE INDEX IF NOT EXISTS {prefix}{GONE_ON}_into ON {prefix}{GONE_ON} (into_id)
    """


def ended(position: int, conversation_id: str, status: str, until: int) -> Row:
    """Return the row of a version that the event at `until` has ended."""
    return (until, position, conversation_id, status, (until - position).bit_length() - 1)


def note_merges(tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
    """Keep from when to when conversations went on in others."""
    for recorded in events:
        event = recorded.event
        if isinstance(event, e.ConversationMerged):
            row = (recorded.position, str(event.conversation_id), str(event.into_id), None)
            tx.insert_many(f"{prefix}{GONE_ON}", ("position", "conversation_id", "into_id", "until"), [row])
        elif isinstance(event, e.ConversationUnmerged):
            sql = f"UPDATE {prefix}{GONE_ON} SET until = ? WHERE conversation_id = ? AND until IS NULL"
            tx.run(sql, (recorded.position, str(event.conversation_id)))


def merged_into(tx: Transaction, conversation_id: str, at: int) -> list[str]:
    """Return the ids of conversations that went on in this one at a position."""
    sql = f"SELECT conversation_id FROM {GONE_ON} WHERE into_id = ? AND position <= ? AND (until IS NULL OR until > ?)"
    return [id_ for (id_,) in tx.rows(sql, (conversation_id, at, at))]


def ever_merged(tx: Transaction, conversation_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of some conversations that ever went on in others."""
    ids = [str(id_) for id_ in conversation_ids]
    return {UUID(id_) for (id_,) in tx.rows_in(f"SELECT conversation_id FROM {GONE_ON} WHERE conversation_id", ids)}


def kept(tx: Transaction, wanted: Mapping[str, int]) -> dict[str, Kept]:
    """Return of some conversations the last version that is kept whole and stood at a position or before."""
    found: dict[str, Kept] = {}
    sql = f"SELECT conversation_id, position, version, body FROM {KEPT} WHERE conversation_id = ? AND position <= ?"
    pairs = list(wanted.items())
    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        selects = [f"SELECT * FROM ({sql} ORDER BY position DESC LIMIT 1) AS r{number}" for number in range(len(some))]
        for id_, *rest in tx.rows(" UNION ALL ".join(selects), [value for pair in some for value in pair]):
            found[id_] = Kept(*rest)
    return found


def page(tx: Transaction, status: str | None, at: int, before: int | None, limit: int) -> list[Version]:
    """Return the conversations of a status (all: None) that there were at a position, the one changed last first.

    `before`: a position from an earlier page.
    """
    until = at if before is None else min(at, before - 1)
    last = tx.row(f"SELECT max(until) FROM {TABLE}")
    levels = int(last[0] or 0).bit_length() if last else 0
    statuses = [status] if status else STATUSES
    ranges = [each for one in statuses for each in _ranges(one, levels, at, until, limit)]
    found: list[Version] = []
    for start in range(0, len(ranges), AT_ONCE):
        some = ranges[start : start + AT_ONCE]
        sql = " UNION ALL ".join(f"SELECT * FROM ({each}) AS r{number}" for number, (each, _) in enumerate(some))
        found += [Version(*row) for row in tx.rows(sql, [value for _, values in some for value in values])]
    return sorted(found, reverse=True)[:limit]


def _ranges(status: str, levels: int, at: int, until: int, limit: int) -> Iterator[tuple[str, list[object]]]:
    """Those unchanged since, and of each level those that ended later."""
    order = "ORDER BY position DESC LIMIT ?"
    listed = "(merged_into IS NULL OR status <> 'closed')"
    sql = f"SELECT position, id FROM conversations WHERE status = ? AND position <= ? AND {listed} {order}"
    yield sql, [status, until, limit]
    for level in range(levels):
        sql = (
            f"SELECT position, conversation_id FROM {TABLE} WHERE status = ? AND level = ? AND position > ?"
            f" AND position <= ? AND until > ? {order}"
        )
        yield sql, [status, level, at - (2 << level), until, at, limit]
