"""Partners who are sent events: where, which, how far they have confirmed, and what happened.

A batch is written down before it is sent, so that after a crash the same batch goes out under the same webhook-id.
Whatever ends a try counts only for the position and the round it began in: a rewind meanwhile stays.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4, uuid5

from shared.clock import from_text, now, to_text
from shared.database.protocol import Database, Listener, Row, Transaction
from shared.registry.partner_address import Network, url_problem
from shared.registry.secrets import SecretBox

TOPIC = "webhooks"
SCHEMA = """
CREATE TABLE IF NOT EXISTS webhook_subscriptions (
    id TEXT PRIMARY KEY, url TEXT NOT NULL, types TEXT NOT NULL, secret TEXT NOT NULL, state TEXT NOT NULL,
    reason TEXT NOT NULL, position BIGINT NOT NULL, round BIGINT NOT NULL, sending_until BIGINT, tries BIGINT NOT NULL,
    failing_since TEXT, next_try_at TEXT, deliveries BIGINT NOT NULL, created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS webhook_deliveries (
    subscription_id TEXT NOT NULL, number BIGINT NOT NULL, webhook_id TEXT NOT NULL, at TEXT NOT NULL,
    first_position BIGINT NOT NULL, last_position BIGINT NOT NULL, events BIGINT NOT NULL, attempt BIGINT NOT NULL,
    status BIGINT, milliseconds BIGINT NOT NULL, answer TEXT NOT NULL, problem TEXT NOT NULL,
    PRIMARY KEY (subscription_id, number)
)
"""
SECRET_BYTES = 32
KEPT_DELIVERIES = 500
"""Of each subscription; older ones are forgotten."""
State = Literal["active", "paused", "disabled"]
"""`disabled`: the partner said that it wants no more."""
_COLUMNS = (
    "id, url, types, secret, state, reason, position, round, sending_until, tries, failing_since, next_try_at,"
    " created_at"
)
_FRESH = "tries = 0, failing_since = NULL, next_try_at = NULL"
_LOGGED = (
    "webhook_id", "at", "first_position", "last_position", "events", "attempt", "status", "milliseconds", "answer",
    "problem",
)  # fmt: skip


class WrongSubscription(Exception):
    """A subscription cannot be added or found as asked; the text says why."""


class SameSubscription(WrongSubscription):
    """One sends the same events to the same address already: a second would tell the partner everything twice."""

    def __init__(self, id_: str, state: str) -> None:
        super().__init__(f"webhook {id_} ({state}) sends the same to this URL: resume, rewind or remove that one")


@dataclass(frozen=True, slots=True)
class Subscription:
    """`types` empty: every event. Up to `position` the partner has confirmed; `sending_until`: a batch is in hand."""

    id: UUID
    url: str
    types: tuple[str, ...]
    sealed: str = field(repr=False)
    state: State
    reason: str
    position: int
    round: int
    sending_until: int | None
    tries: int
    failing_since: datetime | None
    next_try_at: datetime | None
    created_at: str

    def webhook_id(self, until: int) -> str:
        """Return the id of the batch that ends at a position: always the same, and another one after a rewind."""
        return f"msg_{uuid5(self.id, f'{self.round}/{self.position}/{until}').hex}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try: `status` and `answer` (its beginning) are the partner's, `problem` says why there are none."""

    webhook_id: str
    at: str
    first_position: int
    last_position: int
    events: int
    attempt: int
    status: int | None
    milliseconds: int
    answer: str
    problem: str


class Subscriptions:
    """Reads and changes subscriptions; what people change notifies the topic `webhooks`."""

    def __init__(self, database: Database, secret_key: bytes, networks: Sequence[Network] = ()) -> None:
        self._database, self._box, self.networks = database, SecretBox(secret_key), networks

    async def add(self, url: str, types: Sequence[str], position: int) -> tuple[Subscription, str]:
        """Add a subscription that begins after a position; return it and its secret.

        Raises WrongSubscription, SameSubscription.
        """
        if problem := url_problem(url, self.networks):
            raise WrongSubscription(problem)
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
        head = (str(uuid4()), url, json.dumps(sorted(set(types))), self._box.seal({"secret": secret}))
        row = (*head, "active", "", position, 0, None, 0, None, None, to_text(now()))

        def insert(tx: Transaction) -> None:
            same = tx.row("SELECT id, state FROM webhook_subscriptions WHERE url = ? AND types = ?", (url, row[2]))
            if same:
                raise SameSubscription(*same)
            tx.insert_many("webhook_subscriptions", (*_COLUMNS.split(", "), "deliveries"), [(*row, 0)])
            tx.notify(TOPIC)

        await self._database.write(insert)
        return _subscription(row), secret

    async def all(self) -> list[Subscription]:
        """Return every subscription in the order they were added."""
        sql = f"SELECT {_COLUMNS} FROM webhook_subscriptions ORDER BY created_at, id"
        return [_subscription(row) for row in await self._database.read(lambda tx: tx.rows(sql))]

    async def one(self, id_: UUID) -> Subscription | None:
        return await self._database.read(lambda tx: _one(tx, id_), brief=True)

    async def find(self, text: str) -> Subscription:
        """Return the subscription with an id or a URL. Raises WrongSubscription when there is none, or several."""
        found = [each for each in await self.all() if text in (str(each.id), each.url)]
        if len(found) != 1:
            raise WrongSubscription(f"{'no' if not found else 'more than one'} webhook {text!r}")
        return found[0]

    def secret_of(self, subscription: Subscription) -> str:
        """Raises WrongKey."""
        return self._box.open(subscription.sealed)["secret"]

    async def remove(self, id_: UUID) -> None:
        """Forget a subscription, its secret and its log."""
        log = "DELETE FROM webhook_deliveries WHERE subscription_id = ?"
        await self._change(id_, (log, ()), ("DELETE FROM webhook_subscriptions WHERE id = ?", ()))

    async def pause(self, id_: UUID) -> None:
        await self._change(id_, ("UPDATE webhook_subscriptions SET state = 'paused', reason = '' WHERE id = ?", ()))

    async def resume(self, id_: UUID) -> None:
        """Go on from the position that is confirmed, at once and with three new days of patience."""
        sql = f"UPDATE webhook_subscriptions SET state = 'active', reason = '', {_FRESH} WHERE id = ?"
        await self._change(id_, (sql, ()))

    async def rewind(self, id_: UUID, position: int) -> None:
        """Send everything after a position (again); the batches get new webhook-ids."""
        sql = "UPDATE webhook_subscriptions SET position = ?, round = round + 1, sending_until = NULL,"
        await self._change(id_, (f"{sql} {_FRESH} WHERE id = ?", (position,)))

    async def deliveries(self, id_: UUID, before: int | None, limit: int) -> list[dict[str, object]]:
        """Return what was tried, the last first; `before`: the number of a delivery from an earlier page."""
        sql = f"SELECT number, {', '.join(_LOGGED)} FROM webhook_deliveries WHERE subscription_id = ?"
        sql += " AND number < ? ORDER BY number DESC LIMIT ?"
        values = (str(id_), 2**62 if before is None else before, limit)
        rows = await self._database.read(lambda tx: tx.rows(sql, values))
        return [dict(zip(("number", *_LOGGED), row, strict=True)) for row in rows]

    def listen(self) -> Listener:
        """Return a listener that wakes when somebody added, removed, paused, resumed or rewound a subscription."""
        return self._database.listen(TOPIC)

    # --- what the sender does; False: the subscription is not where it was any more -------------------------

    async def begin(self, before: Subscription, until: int) -> bool:
        """Write down that a batch is about to be sent, once more or for the first time."""
        sql = "UPDATE webhook_subscriptions SET sending_until = ?, tries = tries + 1"
        where = f"{_SAME} AND state = 'active'"
        return await self._database.write(lambda tx: tx.run(f"{sql} {where}", (until, *_same(before))) > 0)

    async def pass_over(self, before: Subscription, to: int) -> bool:
        """Move on over events that the partner did not ask for."""
        sql = f"UPDATE webhook_subscriptions SET position = ?, sending_until = NULL {_SAME}"
        return await self._database.write(lambda tx: tx.run(sql, (to, *_same(before))) > 0)

    async def confirm(self, before: Subscription, delivery: Delivery) -> bool:
        """Move on over a batch that the partner has."""
        sql = f"UPDATE webhook_subscriptions SET position = ?, sending_until = NULL, {_FRESH}"
        return await self._end(before, delivery, sql, (delivery.last_position,))

    async def fail(
        self,
        before: Subscription,
        delivery: Delivery,
        since: datetime,
        next_try: datetime | None,
        then: tuple[State, str],
    ) -> bool:
        """Keep a batch for a later try, or until somebody resumes: `then` is the state from now on, and why."""
        sql = (
            "UPDATE webhook_subscriptions SET failing_since = ?, next_try_at = ?,"
            " reason = CASE state WHEN 'active' THEN ? ELSE reason END,"
            " state = CASE state WHEN 'active' THEN ? ELSE state END"
        )
        state, reason = then
        values = (to_text(since), to_text(next_try) if next_try else None, reason, state)
        return await self._end(before, delivery, sql, values)

    async def stop(self, before: Subscription, reason: str) -> None:
        """Pause because it cannot be sent at all."""
        sql = f"UPDATE webhook_subscriptions SET state = 'paused', reason = ? {_SAME}"
        await self._database.write(lambda tx: tx.run(sql, (reason, *_same(before))))

    async def _end(self, before: Subscription, delivery: Delivery, sql: str, values: Sequence[object]) -> bool:
        def end(tx: Transaction) -> bool:
            moved = tx.run(f"{sql} {_SAME}", (*values, *_same(before))) > 0
            _log(tx, before.id, delivery)
            return moved

        return await self._database.write(end)

    async def _change(self, id_: UUID, *statements: tuple[str, tuple[object, ...]]) -> None:
        """Run statements whose last parameter is the subscription's id, and wake who sends."""

        def change(tx: Transaction) -> None:
            for sql, values in statements:
                tx.run(sql, (*values, str(id_)))
            tx.notify(TOPIC)

        await self._database.write(change)


_SAME = "WHERE id = ? AND round = ? AND position = ?"


def _same(before: Subscription) -> tuple[object, ...]:
    return str(before.id), before.round, before.position


def _one(tx: Transaction, id_: UUID) -> Subscription | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM webhook_subscriptions WHERE id = ?", (str(id_),))
    return _subscription(row) if row else None


def _log(tx: Transaction, id_: UUID, delivery: Delivery) -> None:
    """Of a subscription that was removed meanwhile nothing is kept."""
    if not tx.run("UPDATE webhook_subscriptions SET deliveries = deliveries + 1 WHERE id = ?", (str(id_),)):
        return
    row = tx.row("SELECT deliveries FROM webhook_subscriptions WHERE id = ?", (str(id_),))
    number = int(row[0]) if row else 0
    values = (str(id_), number, *(getattr(delivery, name) for name in _LOGGED))
    tx.insert_many("webhook_deliveries", ("subscription_id", "number", *_LOGGED), [values])
    oldest = number - KEPT_DELIVERIES
    tx.run("DELETE FROM webhook_deliveries WHERE subscription_id = ? AND number <= ?", (str(id_), oldest))


def _subscription(row: Row) -> Subscription:
    id_, url, types, sealed, state, reason, position, round_, until, tries, since, next_try, created_at = row
    failing_since, next_try_at = (from_text(text) if text else None for text in (since, next_try))
    head = (UUID(id_), url, tuple(json.loads(types)), sealed, state, reason, position, round_, until, tries)
    return Subscription(*head, failing_since, next_try_at, created_at)
