"""What was tried, when, and how it ended. A reply is "sending" in here before its provider hears of it.

A change of state is one transaction; a row that is being sent belongs to its owner until the lease runs out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from services.outbound.ledger_schema import COLUMNS, FINAL, FIRST_IN_LINE, OPEN, SCHEMA
from services.outbound.needless import end_needless, waiting_after
from shared.clock import from_text, now, to_text
from shared.connector import Sent
from shared.contracts.delivery import DeliveryReport
from shared.contracts.outbound import OutboundReply
from shared.database.again import write_again
from shared.database.protocol import Database, Row, Transaction

__all__ = ["LEASE", "SCHEMA", "Claimed", "Ledger", "Outcome", "Unknown"]

LEASE = timedelta(seconds=30)
_ORDER_LOCK = 6_510_616
_NONE = "''"
_REPORTED = (
    "reply_id, conversation_id, channel_id, attempt, state, changed_at, tries, external_id, known_as, error, code"
)
_decoder = msgspec.json.Decoder(OutboundReply)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A reply this process may send now; `tries` counts this one."""

    reply: OutboundReply
    tries: int
    first_try_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended; waiting: to be tried again at `next_try_at`."""

    state: Literal["sent", "failed", "unknown", "waiting"]
    error: str = ""
    code: str = ""
    external_id: str = ""
    known_as: tuple[str, ...] = ()
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A reply that may have left."""

    reply_id: UUID
    attempt: int
    channel_id: UUID
    since: datetime

    @property
    def key(self) -> tuple[UUID, int]:
        return self.reply_id, self.attempt


class Ledger:
    """The ledger as one process sees it; `owner` is unique to the process."""

    def __init__(self, database: Database, owner: str, clock: Callable[[], datetime] = now) -> None:
        self._database, self._owner, self._clock = database, owner, clock

    async def accept(self, replies: Sequence[OutboundReply]) -> None:
        """Queue replies in the order given; what is known already is left as it is."""
        at = to_text(self._clock())

        def insert(tx: Transaction) -> None:
            _add(tx, replies, at)
            end_needless(tx, replies, self._owner, at)

        await write_again(self._database, insert)

    async def fail_unheard(self, replies: Sequence[OutboundReply], error: str, code: str) -> None:
        """Fail what cannot be sent, to be told; what is known already is left as it is, and heard of later it is known.

        So of a failure that is told here and a record that is read later, one thing comes.
        """

        def insert(tx: Transaction) -> None:
            for reply in replies:
                _add(tx, [reply], to_text(reply.requested_at), _Failed(error, code, self._owner))

        await write_again(self._database, insert)

    async def claim(self, places: Mapping[UUID, int]) -> list[Claimed]:
        """Take up to so many replies of each channel for sending, the longest waiting first."""
        at = self._clock()
        due = await self._database.read(lambda tx: _due(tx, places, to_text(at)))
        if not due:
            return []
        return await write_again(
            self._database,
            lambda tx: [each for channel_id in due for each in self._take(tx, channel_id, places[channel_id], at)],
        )

    async def settle(self, claimed: Claimed, outcome: Outcome) -> bool:
        """Write how this try ended; False when the row was no longer ours, or is that of a later try."""
        at = self._clock()
        key = (str(claimed.reply.id), claimed.reply.attempt, claimed.tries, self._owner)

        def settle(tx: Transaction) -> bool:
            if claimed.reply.lost:
                _in_turn(tx)
            ours = _settle(tx, key, outcome, at)
            end_needless(tx, [claimed.reply], self._owner, to_text(at))
            return ours

        return await write_again(self._database, settle)

    async def unknown(self, channels: Sequence[UUID], since: datetime) -> list[Unknown]:
        """Return what became unknown since a moment on these channels and can be told of by a trace, oldest first.

        All attempts leave the same trace, so it tells only where no earlier one can have left it, nor any one has.
        """
        marks = ",".join("?" * len(channels)) or "''"
        left = "(other.attempt < lost.attempt AND other.state <> 'failed' OR other.state = 'sent')"
        sql = (
            "SELECT reply_id, attempt, channel_id, changed_at FROM deliveries AS lost"
            f" WHERE state = 'unknown' AND changed_at >= ? AND channel_id IN ({marks})"
            f" AND NOT EXISTS (SELECT 1 FROM deliveries AS other WHERE other.reply_id = lost.reply_id AND {left})"
            " ORDER BY changed_at"
        )
        rows = await self._database.read(lambda tx: tx.rows(sql, (to_text(since), *map(str, channels))))
        return [Unknown(UUID(id_), attempt, UUID(channel), from_text(at)) for id_, attempt, channel, at in rows]

    async def settle_unknown(self, unknown: Unknown, sent: Sent) -> bool:
        """Write that it left after all, to be told, and end what was to be sent instead; False when that was known."""
        sql = (
            "UPDATE deliveries SET state = 'sent', error = '', code = '', external_id = ?, known_as = ?,"
            " announced = 0, owner = ?, changed_at = ? WHERE reply_id = ? AND attempt = ? AND state = 'unknown'"
        )
        at, key = to_text(self._clock()), (str(unknown.reply_id), unknown.attempt)

        def settle(tx: Transaction) -> bool:
            _in_turn(tx)
            if not tx.run(sql, (sent.external_id, json.dumps(sent.known_as), self._owner, at, *key)):
                return False
            end_needless(tx, waiting_after(tx, *unknown.key), self._owner, at)
            return True

        return await write_again(self._database, settle)

    async def renew(self, claimed: Sequence[Claimed]) -> None:
        """Keep what is being sent."""
        until = to_text(self._clock() + LEASE)
        keys = [(until, str(each.reply.id), each.reply.attempt, self._owner) for each in claimed]
        mine = "reply_id = ? AND attempt = ? AND owner = ? AND state = 'sending'"
        sql = f"UPDATE deliveries SET lease_until = ? WHERE {mine}"
        await write_again(self._database, lambda tx: tx.run_many(sql, keys))

    async def abandoned(self, *, all_owners: bool = False, in_hand: Collection[Claimed] | None = None) -> list[Claimed]:
        """Take over what others were sending when they died. `all_owners`: nobody else can be alive.

        `in_hand`: all that we send ourselves, if that is certain now. What else is ours became so in a transaction that
        was given up and had been committed: nobody sends it.
        """
        at = self._clock()
        known = [f"{each.reply.id}:{each.reply.attempt}" for each in in_hand or ()]
        ours = (
            "" if in_hand is None else f" OR reply_id || ':' || attempt NOT IN ({','.join('?' * len(known)) or _NONE})"
        )
        lease, until = ("", ()) if all_owners else (" AND lease_until < ?", (to_text(at),))
        where, values = f"{OPEN} AND state = 'sending' AND (owner <> ?{ours}){lease}", (self._owner, *known, *until)
        sql = f"SELECT 1 FROM deliveries WHERE {where} LIMIT 1"
        if await self._database.read(lambda tx: tx.row(sql, values)) is None:
            return []
        return await write_again(self._database, lambda tx: self._update(tx, where, values, at, tried=0))

    async def refuse_all_but(self, channels: Sequence[UUID], error: str, queued_before: datetime) -> int:
        """Fail what was queued before a moment for a channel that is not among these; return how many."""
        at = to_text(self._clock())
        marks = ",".join("?" * len(channels)) or "''"
        where = f"{OPEN} AND state <> 'sending' AND created_at < ? AND channel_id NOT IN ({marks})"
        ids = [to_text(queued_before), *map(str, channels)]
        if await self._database.read(lambda tx: tx.row(f"SELECT 1 FROM deliveries WHERE {where} LIMIT 1", ids)) is None:
            return 0
        sql = f"UPDATE deliveries SET state = 'failed', error = ?, changed_at = ?, owner = ? WHERE {where}"
        return await write_again(self._database, lambda tx: tx.run(sql, (error, at, self._owner, *ids)))

    async def hurry(self, channel_id: UUID) -> None:
        """Try at once what waits for a channel: it was mended."""
        at = to_text(self._clock())
        sql = f"UPDATE deliveries SET next_try_at = ? WHERE {OPEN} AND state = 'waiting' AND channel_id = ?"
        await write_again(self._database, lambda tx: tx.run(sql, (at, str(channel_id))))

    async def unannounced(self, limit: int, *, settled_before: datetime | None = None) -> list[DeliveryReport]:
        """Return fates not yet told: this process's own, and anybody's that were settled before a moment."""
        before = to_text(settled_before) if settled_before else ""
        where = f"{FINAL} AND (owner = ? OR changed_at < ?)"
        sql = f"SELECT {_REPORTED} FROM deliveries WHERE {where} ORDER BY position LIMIT ?"
        rows = await self._database.read(lambda tx: tx.rows(sql, (self._owner, before, limit)))
        return [_report(row) for row in rows]

    async def announced(self, reports: Sequence[DeliveryReport]) -> None:
        """The fates were told; the text of the reply is in the event log and needs no second home."""
        sql = "UPDATE deliveries SET announced = 1, payload = ? WHERE reply_id = ? AND attempt = ? AND state = ?"
        keys = [(b"", str(report.reply_id), report.attempt, report.state) for report in reports]
        await write_again(self._database, lambda tx: tx.run_many(sql, keys))

    def _take(self, tx: Transaction, channel_id: UUID, places: int, at: datetime) -> list[Claimed]:
        where = f"channel_id = ? AND {FIRST_IN_LINE}"
        return self._update(tx, where, (str(channel_id), to_text(at)), at, tried=1, limit=places)

    def _update(
        self, tx: Transaction, where: str, parameters: Sequence[object], at: datetime, tried: int, limit: int = 100
    ) -> list[Claimed]:
        """Make rows ours; of two processes that want the same row one gets it and the other does not wait."""
        lock = "FOR UPDATE OF line SKIP LOCKED" if tx.dialect == "postgres" else ""
        sql = (
            f"WITH mine AS MATERIALIZED (SELECT position FROM deliveries AS line WHERE {where}"
            f" ORDER BY position LIMIT ? {lock})"
            " UPDATE deliveries SET state = 'sending', tries = tries + ?, owner = ?, lease_until = ?,"
            " first_try_at = COALESCE(first_try_at, ?), changed_at = ?"
            " WHERE position IN (SELECT position FROM mine) RETURNING position, payload, tries, first_try_at"
        )
        values = (*parameters, limit, tried, self._owner, to_text(at + LEASE), to_text(at), to_text(at))
        rows = sorted(tx.rows(sql, values))
        return [Claimed(_decoder.decode(payload), tries, from_text(first)) for _, payload, tries, first in rows]


@dataclass(frozen=True, slots=True)
class _Failed:
    error: str
    code: str
    owner: str


def _add(tx: Transaction, replies: Sequence[OutboundReply], at: str, failed: _Failed | None = None) -> None:
    _in_turn(tx)
    (last,) = tx.row("SELECT COALESCE(MAX(position), 0) FROM deliveries") or (0,)
    rows = [_row(reply, last + number, at, failed) for number, reply in enumerate(replies, 1)]
    tx.insert_many("deliveries", COLUMNS, rows, "ON CONFLICT (reply_id, attempt) DO NOTHING")


def _in_turn(tx: Transaction) -> None:
    """Wait for others that do this: positions grow in the order of commits; what was found and what waits meet."""
    if tx.dialect == "postgres":
        tx.row("SELECT pg_advisory_xact_lock(?)", (_ORDER_LOCK,))


def _due(tx: Transaction, places: Mapping[UUID, int], at: str) -> list[UUID]:
    sql = f"SELECT 1 FROM deliveries AS line WHERE channel_id = ? AND {FIRST_IN_LINE} LIMIT 1"
    return [id_ for id_, free in places.items() if free > 0 and tx.row(sql, (str(id_), at))]


def _settle(tx: Transaction, key: tuple[str, int, int, str], outcome: Outcome, at: datetime) -> bool:
    sql = (
        "UPDATE deliveries SET state = ?, error = ?, code = ?, external_id = ?, known_as = ?, next_try_at = ?,"
        " changed_at = ? WHERE reply_id = ? AND attempt = ? AND tries = ? AND owner = ? AND state = 'sending'"
    )
    known_as, next_try_at = json.dumps(outcome.known_as), to_text(outcome.next_try_at or at)
    values = (outcome.state, outcome.error, outcome.code, outcome.external_id, known_as, next_try_at, to_text(at))
    return tx.run(sql, (*values, *key)) > 0


def _row(reply: OutboundReply, position: int, at: str, failed: _Failed | None) -> Row:
    ids = (str(reply.id), reply.attempt, position, str(reply.conversation_id), str(reply.channel_id))
    if failed:
        return (*ids, b"", "failed", 0, None, at, failed.owner, "", failed.error, failed.code, "", "[]", 0, at, at)
    return (*ids, _encoder.encode(reply), "queued", 0, None, at, "", "", "", "", "", "[]", 0, at, at)


def _report(row: Row) -> DeliveryReport:
    reply_id, conversation_id, channel_id, attempt, state, changed_at, tries, external_id, known_as, error, code = row
    return DeliveryReport(
        reply_id=UUID(reply_id),
        conversation_id=UUID(conversation_id),
        channel_id=UUID(channel_id),
        attempt=attempt,
        state=state,
        at=from_text(changed_at),
        tries=tries,
        external_id=external_id,
        known_as=tuple(json.loads(known_as)),
        error=error,
        code=code,
    )
