"""Erasures and holds, as they were asked for and as far as they are: ids, reasons and numbers, nothing of anybody's.

`services/privacy` carries them out; whoever asks writes a row and waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID, uuid4

import orjson

from shared.clock import now, to_text
from shared.database.protocol import Database, Row, Transaction

TOPIC = "erasures"
REASON_CHARACTERS = 500
State = Literal["requested", "recorded", "destroyed", "shown", "done"]
"""requested; recorded: in the log, nothing new is sealed with the old keys; destroyed: the keys, files and rows;
shown: read models are without it; done: no record on the way can be read either, the certificate is written."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS erasures (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject_id TEXT NOT NULL, until TEXT, reason TEXT NOT NULL,
    requested_by TEXT NOT NULL, requested_at TEXT NOT NULL, state TEXT NOT NULL, finished_at TEXT,
    details TEXT NOT NULL, certificate TEXT
);
CREATE TABLE IF NOT EXISTS retention_rules (
    channel_id TEXT PRIMARY KEY, days BIGINT NOT NULL, set_by TEXT NOT NULL, set_at TEXT NOT NULL, done_until TEXT
);
CREATE TABLE IF NOT EXISTS holds (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject_id TEXT NOT NULL, reason TEXT NOT NULL, set_by TEXT NOT NULL,
    set_at TEXT NOT NULL, released_by TEXT, released_at TEXT
)
"""
_ERASURE = "id, kind, subject_id, until, reason, requested_by, requested_at, state, finished_at, details, certificate"
_HOLD = "id, kind, subject_id, reason, set_by, set_at, released_by, released_at"


class WrongErasure(Exception):
    """It cannot be erased, held or kept like that; the text says why."""


class Held(WrongErasure):
    """A hold is in the way; the text names it and its reason."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """`subject_id`: a customer, or for retention a channel, of which everything recorded before `until` goes.

    lost: keys that were missing are declared lost; its subject is nobody.
    """

    id: UUID
    kind: Literal["customer", "retention", "lost"]
    subject_id: UUID
    until: str | None
    reason: str
    requested_by: str
    requested_at: str
    state: State
    finished_at: str | None
    details: dict[str, Any]
    certificate: dict[str, Any] | None

    def shown(self) -> dict[str, Any]:
        """Return it as the API and the CLI show it."""
        return {
            "id": str(self.id),
            "kind": self.kind,
            "subject_id": str(self.subject_id),
            "until": self.until,
            "reason": self.reason,
            "requested_by": self.requested_by,
            "requested_at": self.requested_at,
            "state": self.state,
            "problem": self._problem() if self.state != "done" else "",
            "finished_at": self.finished_at,
            "certificate": self.certificate,
        }

    @property
    def held_up(self) -> dict[str, dict[str, str]]:
        """What keeps this one from going on, by the step: its `problem`, and `until` when it is not tried again."""
        held: dict[str, dict[str, str]] = self.details.get("held_up", {})
        return held

    def _problem(self) -> str:
        return str(self.details.get("problem", "")) or next((held["problem"] for held in self.held_up.values()), "")


# --- erasures ---------------------------------------------------------------------------------------------


def request(tx: Transaction, customer_id: UUID, reason: str, by: str, members: Sequence[UUID] = ()) -> UUID:
    """Ask for the erasure of a customer; one that is under way already is returned. Raises Held, WrongErasure.

    `members`: the others who are shown as one with them, who will be erased too.
    """
    check_reason(reason)
    refuse_held(tx, "customer", [customer_id, *members])
    sql = "SELECT id FROM erasures WHERE kind = 'customer' AND subject_id = ? AND state <> 'done'"
    if row := tx.row(sql, (str(customer_id),)):
        return UUID(row[0])
    return add(tx, "customer", customer_id, None, reason, by)


def add(tx: Transaction, kind: str, subject_id: UUID, until: str | None, reason: str, by: str) -> UUID:
    """Write a request down; return its id."""
    id_ = uuid4()
    columns = ("id", "kind", "subject_id", "until", "reason", "requested_by", "requested_at", "state", "details")
    row = (str(id_), kind, str(subject_id), until, reason, by, to_text(now()), "requested", "{}")
    tx.insert_many("erasures", columns, [row])
    tx.notify(TOPIC)
    return id_


def add_lost(tx: Transaction, reason: str, by: str, details: dict[str, Any]) -> UUID:
    """Write down that keys are declared lost, and whose content they sealed; return its id. Raises WrongErasure."""
    check_reason(reason)
    id_ = add(tx, "lost", UUID(int=0), None, reason, by)
    sql = "UPDATE erasures SET state = 'recorded', details = ? WHERE id = ?"
    tx.run(sql, (orjson.dumps(details).decode(), str(id_)))
    return id_


def add_retention(tx: Transaction, channel_id: UUID, until: str, reason: str, by: str, *, from_the_start: bool) -> UUID:
    """Write down that everything of a channel before a moment is to go; return its id.

    What the last such request has looked at need not be looked at again, unless `from_the_start`.
    """
    sql = "SELECT details FROM erasures WHERE kind = 'retention' AND subject_id = ? ORDER BY requested_at DESC LIMIT 1"
    row = None if from_the_start else tx.row(sql, (str(channel_id),))
    after = int(orjson.loads(row[0]).get("looked_until", 0)) if row else 0
    id_ = add(tx, "retention", channel_id, until, reason, by)
    details = orjson.dumps({"after": after}).decode()
    tx.run("UPDATE erasures SET details = ? WHERE id = ?", (details, str(id_)))
    return id_


def unfinished(tx: Transaction) -> list[Erasure]:
    """Return what is to be carried out, the oldest first."""
    sql = f"SELECT {_ERASURE} FROM erasures WHERE state <> 'done' ORDER BY requested_at, id"
    return [_erasure(row) for row in tx.rows(sql)]


def everything(tx: Transaction, limit: int = 1000) -> list[Erasure]:
    """Return erasures, the newest first."""
    rows = tx.rows(f"SELECT {_ERASURE} FROM erasures ORDER BY requested_at DESC, id LIMIT ?", (limit,))
    return [_erasure(row) for row in rows]


def one(tx: Transaction, id_: UUID) -> Erasure | None:
    row = tx.row(f"SELECT {_ERASURE} FROM erasures WHERE id = ?", (str(id_),))
    return _erasure(row) if row else None


async def advance(database: Database, id_: UUID, state: State, details: dict[str, Any]) -> None:
    """Write down how far an erasure is."""
    values = (state, orjson.dumps(details).decode(), str(id_))
    await database.write(lambda tx: tx.run("UPDATE erasures SET state = ?, details = ? WHERE id = ?", values))


async def finish(database: Database, id_: UUID, at: datetime, certificate: dict[str, Any]) -> None:
    values = (to_text(at), orjson.dumps(certificate).decode(), str(id_))
    sql = "UPDATE erasures SET state = 'done', finished_at = ?, certificate = ? WHERE id = ?"
    await database.write(lambda tx: tx.run(sql, values))


async def tell(database: Database, problem: str) -> None:
    """Note what keeps the erasures that are under way from going on, of nobody; empty: nothing any more.

    They are carried out together, so it keeps all of them.
    """
    work = [each for each in await database.read(unfinished) if each.details.get("problem", "") != problem]
    for each in work:
        await advance(database, each.id, each.state, {**each.details, "problem": problem})


async def hold_up(database: Database, erasure: Erasure, step: str, held: dict[str, str] | None) -> None:
    """Note what keeps one step of one erasure from being done, as `Erasure.held_up` has it; None: nothing any more."""
    others = {name: each for name, each in erasure.held_up.items() if name != step}
    erasure.details["held_up"] = {**others, step: held} if held else others
    if found := await database.read(partial(one, id_=erasure.id)):
        details = {**found.details, "held_up": erasure.details["held_up"]}
        await advance(database, found.id, found.state, details)


def check_reason(reason: str) -> None:
    if len(reason) > REASON_CHARACTERS:
        raise WrongErasure(f"a reason has up to {REASON_CHARACTERS} characters; it is kept, so it names nobody")


# --- holds ------------------------------------------------------------------------------------------------


def hold(tx: Transaction, kind: str, subject_id: UUID, reason: str, by: str) -> UUID:
    """Keep a customer or a channel from being erased. Raises WrongErasure."""
    check_reason(reason)
    if not reason.strip():
        raise WrongErasure("a hold has a reason")
    id_ = uuid4()
    row = (str(id_), kind, str(subject_id), reason, by, to_text(now()))
    tx.insert_many("holds", ("id", "kind", "subject_id", "reason", "set_by", "set_at"), [row])
    return id_


def release(tx: Transaction, id_: UUID, by: str) -> None:
    """Raises WrongErasure when there is no such hold any more."""
    sql = "UPDATE holds SET released_by = ?, released_at = ? WHERE id = ? AND released_at IS NULL"
    if not tx.run(sql, (by, to_text(now()), str(id_))):
        raise WrongErasure(f"there is no hold {id_} that could be released")
    tx.run("UPDATE retention_rules SET done_until = NULL")  # what was kept meanwhile is to be looked at
    tx.notify(TOPIC)


def holds(tx: Transaction) -> list[dict[str, Any]]:
    """Return every hold there is or was, the newest first."""
    rows = tx.rows(f"SELECT {_HOLD} FROM holds ORDER BY set_at DESC, id")
    return [dict(zip(_HOLD.split(", "), row, strict=True)) for row in rows]


def held(tx: Transaction, kind: str) -> set[UUID]:
    """Return the customers, or channels, that are held."""
    rows = tx.rows("SELECT subject_id FROM holds WHERE kind = ? AND released_at IS NULL", (kind,))
    return {UUID(id_) for (id_,) in rows}


def refuse_held(tx: Transaction, kind: str, subjects: Sequence[UUID]) -> None:
    """Raises Held when one of them is."""
    sql = "SELECT reason, set_by FROM holds WHERE kind = ? AND subject_id = ? AND released_at IS NULL"
    for subject_id in subjects:
        if row := tx.row(sql, (kind, str(subject_id))):
            raise Held(f"{kind} {subject_id} is held by {row[1]}: {row[0]}")


# --- rules ------------------------------------------------------------------------------------------------


def set_rule(tx: Transaction, channel_id: UUID, days: int, by: str) -> None:
    """Keep what came by a channel for so many days. Raises WrongErasure."""
    if not 1 <= days <= 36_500:
        raise WrongErasure("a rule keeps content for 1 to 36500 days")
    columns = ("channel_id", "days", "set_by", "set_at")
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    tail = f"ON CONFLICT (channel_id) DO UPDATE SET {updates}, done_until = NULL"
    tx.insert_many("retention_rules", columns, [(str(channel_id), days, by, to_text(now()))], tail)
    tx.notify(TOPIC)


def remove_rule(tx: Transaction, channel_id: UUID) -> None:
    """Raises WrongErasure."""
    if not tx.run("DELETE FROM retention_rules WHERE channel_id = ?", (str(channel_id),)):
        raise WrongErasure(f"channel {channel_id} has no rule")


def rules(tx: Transaction) -> list[dict[str, Any]]:
    columns = ("channel_id", "days", "set_by", "set_at", "done_until")
    rows = tx.rows(f"SELECT {', '.join(columns)} FROM retention_rules ORDER BY set_at, channel_id")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _erasure(row: Row) -> Erasure:
    id_, kind, subject_id, until, reason, by, at, state, finished_at, details, certificate = row
    written = orjson.loads(certificate) if certificate else None
    return Erasure(
        UUID(id_), kind, UUID(subject_id), until, reason, by, at, state, finished_at, orjson.loads(details), written
    )
