"""The list of conversations: one row each with what an operator needs to decide what to open next."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import orjson

from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.domain.replies import ERASED
from shared.read_models import conversations_past, groups
from shared.read_models.conversation_rows import COLUMNS, INDEX
from shared.read_models.conversations_gathered import Gathered
from shared.read_models.entries import Body


class Conversations:
    name = "conversations"
    version = 7
    tables = ("conversations", conversations_past.TABLE, conversations_past.KEPT, conversations_past.GONE_ON)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}conversations (
            id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, channel_id TEXT NOT NULL, status TEXT NOT NULL,
            subject TEXT NOT NULL, snoozed_until TEXT, assignee_id TEXT, assignee_name TEXT, tags TEXT NOT NULL,
            waiting_since TEXT, reply_to TEXT, reply_channel TEXT, cannot_reply TEXT, unreachable TEXT,
            messages_count BIGINT NOT NULL, last_message TEXT,
            opened_at TEXT NOT NULL, changed_at TEXT NOT NULL, position BIGINT NOT NULL, merged_into TEXT
        );
        {conversations_past.schema(prefix)}
        """

    def indexes(self, prefix: str) -> str:
        return f"""
        CREATE INDEX IF NOT EXISTS {prefix}conversations_status ON {prefix}conversations (status, position);
        CREATE INDEX IF NOT EXISTS {prefix}conversations_customer ON {prefix}conversations (customer_id, position);
        CREATE INDEX IF NOT EXISTS {prefix}conversations_snoozed ON {prefix}conversations (snoozed_until)
            WHERE snoozed_until IS NOT NULL;
        CREATE INDEX IF NOT EXISTS {prefix}conversations_merged ON {prefix}conversations (merged_into)
            WHERE merged_into IS NOT NULL;
        {conversations_past.indexes(prefix)}
        """

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        gathered = Gathered(prefix, takes_out=True)
        gathered.take(tx, events)
        gathered.write(tx)

    def gathered(self, prefix: str) -> Gathered:
        return Gathered(prefix)


READ_MODEL = Conversations()


# --- queries ----------------------------------------------------------------------------------------------

_SELECT = (
    f"SELECT c.position, {','.join('c.' + name for name in COLUMNS)}, u.id, u.name, u.address, u.erased, u.erased_at"
    " FROM conversations c LEFT JOIN customer_groups g ON g.member_id = c.customer_id"
    " JOIN customers u ON u.id = coalesce(g.root_id, c.customer_id)"
)
"""With whoever stands for the customer it belongs to."""
_STANDS = "(c.merged_into IS NULL OR c.status <> 'closed')"
"""One that is merged into another is seen again only when something happens in it: an old answer bounces."""


def conversation(tx: Transaction, conversation_id: UUID) -> Body | None:
    """Return one conversation as the API shows it, without the channel's name."""
    row = tx.row(f"{_SELECT} WHERE c.id = ?", (str(conversation_id),))
    return _shown(row) if row else None


def page(
    tx: Transaction,
    status: str | None,
    customer_id: UUID | None,
    before: int | None,
    limit: int,
    assignee_id: UUID | None = None,
) -> list[Body]:
    """Return conversations, the one changed last first; `before`: a position from an earlier page.

    `customer_id`: those of everybody who is shown as one with this customer.
    """
    given: list[tuple[str, object]] = [("c.position < ?", before)] if before is not None else []
    given += [("c.assignee_id = ?", str(assignee_id))] if assignee_id else []
    if customer_id is None:  # an index of all by position would be written to for each message
        whose, each = [status] if status else conversations_past.STATUSES, "c.status = ?"
    else:
        whose, each = groups.members(tx, customer_id), "c.customer_id = ?"
        given += [("c.status = ?", status)] if status else []
    sql = f"{_SELECT} WHERE {' AND '.join([each, _STANDS, *(where for where, _ in given)])}"
    found = groups.range_of(tx, sql, whose, [value for _, value in given], "c.position DESC", limit)
    return [_shown(row) for row in found]


def every_one(tx: Transaction) -> list[Body]:
    """Return all conversations, also those that go on in others, the one changed last first."""
    return [_shown(row) for row in tx.rows(f"{_SELECT} ORDER BY c.position DESC")]


def is_listed(body: Body) -> bool:
    """Return whether a conversation, as the API shows it, is in lists: `page` has those."""
    return body["merged_into"] is None or body["status"] != "closed"


def are_merged_across(tx: Transaction, customer_ids: Sequence[str]) -> bool:
    """Return whether a conversation of some customers goes on in one of others, or the other way round."""
    join = "SELECT s.customer_id, i.customer_id FROM conversations s JOIN conversations i ON i.id = s.merged_into"
    rows = [r for side in "si" for r in tx.rows_in(f"{join} WHERE {side}.customer_id", list(customer_ids))]
    return any((one in customer_ids) != (other in customer_ids) for one, other in rows)


def merged_into(tx: Transaction, conversation_id: UUID) -> list[str]:
    """Return the ids of conversations that go on in this one."""
    sql = "SELECT id FROM conversations WHERE merged_into = ? AND merged_into IS NOT NULL"
    return [id_ for (id_,) in tx.rows(sql, (str(conversation_id),))]


def restore(tx: Transaction, bodies: Sequence[str]) -> None:
    """Put versions that were kept whole into an empty table, so that events go on from there."""
    tx.insert_many("conversations", COLUMNS, [tuple(orjson.loads(body)) for body in bodies])


def owner_of(body: str) -> UUID:
    """Return whose conversation a version that was kept whole is."""
    return UUID(orjson.loads(body)[INDEX["customer_id"]])


def ids_of_customer(tx: Transaction, customer_id: UUID) -> list[UUID]:
    """Return the ids of all conversations of a customer, without those of others shown as one with them."""
    return [UUID(i) for (i,) in tx.rows("SELECT id FROM conversations WHERE customer_id = ?", (str(customer_id),))]


def due_snoozes(tx: Transaction, now: str, limit: int = 100) -> list[UUID]:
    """Return conversations whose snooze has run out."""
    sql = "SELECT id FROM conversations WHERE snoozed_until <= ? ORDER BY snoozed_until LIMIT ?"
    return [UUID(id_) for (id_,) in tx.rows(sql, (now, limit))]


def next_snooze(tx: Transaction) -> str | None:
    """Return the earliest time a conversation sleeps until."""
    row = tx.row("SELECT min(snoozed_until) FROM conversations WHERE snoozed_until IS NOT NULL")
    return row[0] if row else None


def _shown(row: Row) -> Body:
    values = dict(zip(COLUMNS, row[1:], strict=False))
    values["customer_id"], name, address, erased, erased_at = row[-5:]
    assignee, reply_to, last = values.pop("assignee_id"), values.pop("reply_to"), values.pop("last_message")
    assignee_name = values.pop("assignee_name")
    reply_channel = values.pop("reply_channel")
    unreachable = values.pop("unreachable")
    is_nobody_left = reply_to == "" and not values["cannot_reply"]
    if is_nobody_left or erased_at:  # whom nobody can answer waits for no answer
        values["waiting_since"] = None
    return {
        **values,
        "customer": {"id": values["customer_id"], "name": name or None, "address": address, "erased": bool(erased)},
        "assignee": {"id": assignee, "name": assignee_name} if assignee else None,
        "tags": orjson.loads(values["tags"]),
        "unanswered": values["waiting_since"] is not None,
        "last_message": orjson.loads(last) if last else None,
        "reply_to": [reply_to] if reply_to else None,
        "reply_channel_id": reply_channel,
        "cannot_reply": unreachable or values["cannot_reply"] or (ERASED if is_nobody_left else None),
    }
