"""Every entry of every customer's timeline, over all channels; also the messages of one conversation.

An entry is written once. What became of it stands beside it (`changes`), and where it stood before it was moved in
`timeline_left`: so a past moment is the same queries with an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import orjson

from shared.database.protocol import Row, Transaction
from shared.domain import events as e
from shared.read_models import changes, conversations, conversations_past, facets, groups, timeline_pages
from shared.read_models.entries import Body, dumps, entry_of, shown
from shared.read_models.moment import Moment, microseconds
from shared.read_models.timeline_pages import LEFT
from shared.read_models.timeline_pages import Page as Page
from shared.read_models.timeline_pages import Wanted as Wanted
from shared.read_models.told import told

MESSAGE_KINDS = ("text", "call", "form", "note")
_COLUMNS = (
    "id", "customer_id", "conversation_id", "position", "kind", "changes", "facet", "occurred", "came_at", "body",
)  # fmt: skip
_SELECT = "SELECT position, customer_id, conversation_id, body FROM"
_DEFINITIONS = """
    id TEXT NOT NULL, customer_id TEXT NOT NULL, conversation_id TEXT NOT NULL, kind TEXT NOT NULL,
    changes BIGINT NOT NULL, facet BIGINT NOT NULL, occurred BIGINT NOT NULL, came_at BIGINT, body TEXT NOT NULL
"""
"""`occurred`: microseconds since 1970; `came_at`: the position at which it was moved to where it is."""
Made = tuple[list[Row], list[Row], list[Row], list[Row]]
"""Entries, combinations of what is filtered by, what became of entries, and what is moved or ended."""


class Timeline:
    name = "timeline"
    version = 9
    tables = ("timeline", LEFT, facets.TABLE, changes.TABLE)

    def schema(self, prefix: str) -> str:
        return f"""
        CREATE TABLE IF NOT EXISTS {prefix}timeline (position BIGINT PRIMARY KEY, {_DEFINITIONS});
        CREATE UNIQUE INDEX IF NOT EXISTS {prefix}timeline_id ON {prefix}timeline (id) WHERE changes = 1;
        CREATE TABLE IF NOT EXISTS {prefix}{LEFT} (
            left_at BIGINT PRIMARY KEY, replaced BIGINT, position BIGINT NOT NULL, {_DEFINITIONS}
        );
        {"" if prefix else _by_conversation(prefix)};
        {facets.schema(prefix)};
        {changes.schema(prefix)}
        """

    def indexes(self, prefix: str) -> str:
        return f"""
        {_by_conversation(prefix)};
        {changes.indexes(prefix)};
        CREATE INDEX IF NOT EXISTS {prefix}timeline_customer ON {prefix}timeline (customer_id, position);
        CREATE INDEX IF NOT EXISTS {prefix}timeline_occurred ON {prefix}timeline (customer_id, occurred, position);
        CREATE INDEX IF NOT EXISTS {prefix}timeline_facet ON {prefix}timeline (customer_id, facet, position);
        CREATE INDEX IF NOT EXISTS {prefix}{LEFT}_customer ON {prefix}{LEFT} (customer_id, position);
        CREATE INDEX IF NOT EXISTS {prefix}{LEFT}_conversation ON {prefix}{LEFT} (conversation_id, position)
        """

    def apply(self, tx: Transaction, events: Sequence[e.Recorded], prefix: str) -> None:
        self.write(tx, self.made(events), prefix)

    def made(self, events: Sequence[e.Recorded]) -> Made:
        heads: list[tuple[UUID, UUID, UUID | str]] = []
        rests: list[Row] = []
        combinations: set[facets.Facet] = set()
        for recorded in events:
            body = entry_of(recorded)
            if body is not None:
                event: Any = recorded.event
                facet = facets.facet_of(body, recorded.actor)
                combinations.add(facet)
                kind = body["kind"]
                changes_later = body["direction"] != "inbound" or kind == "call" or "stands_in" in body
                # what stands in for a message has its id until the message ends it, below
                is_looked_up = int(changes_later and not getattr(event, "edited_before", False))
                heads.append((body["id"], event.customer_id, getattr(event, "conversation_id", None) or ""))
                numbers = (is_looked_up, facets.number(facet), microseconds(recorded.occurred_at))
                rests.append((recorded.position, kind, *numbers, None, dumps(body)))
        texts = msgspec.to_builtins(heads)  # str() of each id costs more than all else here
        entries = [(*h, *r) for h, r in zip(texts, rests, strict=True)]
        became = [row for recorded in events if (row := changes.change_of(recorded))]
        placings = [row for recorded in told(events, _PLACING) if (row := _placing(recorded))]
        return entries, facets.rows(combinations), became, placings

    def write(self, tx: Transaction, made: Made, prefix: str) -> None:
        entries, combinations, became, placings = made
        tx.insert_many(f"{prefix}timeline", _COLUMNS, entries)
        facets.keep(tx, prefix, combinations)
        tx.insert_many(f"{prefix}{changes.TABLE}", changes.COLUMNS, became)
        if prefix and any(to is not None for *_, to in placings):
            tx.script(_by_conversation(prefix))
        for placing in placings:
            _place(tx, prefix, *placing)


READ_MODEL = Timeline()


def _by_conversation(prefix: str) -> str:
    """What is moved is found by it: a rebuild needs it from the first such event on, which most logs do not have."""
    return f"CREATE INDEX IF NOT EXISTS {prefix}timeline_conversation ON {prefix}timeline (conversation_id, position)"


_PLACING = {e.MessageMoved, e.CustomerUnmerged, e.MessageReceived, e.MessageExtended}


def _placing(recorded: e.Recorded) -> Row | None:
    """Return what an event moves or ends of what stands already, None for nothing: as `_place` takes it."""
    match recorded.event:
        case e.MessageMoved() as event:
            ids = (str(event.conversation_id), str(event.message_id))
            return recorded.position, "NULL", ids, (str(event.to_conversation_id), str(event.to_customer_id))
        case e.CustomerUnmerged() as event:  # what was merged by mistake was never one
            return recorded.position, "NULL", (str(event.merge_id),), None
        case e.MessageReceived() as event if event.edited_before:
            return _standing_in(recorded, event)
        case e.MessageExtended() as event if event.message.edited_before:
            return _standing_in(recorded, event.message)
    return None


def _standing_in(recorded: e.Recorded, message: e.MessageReceived) -> Row:
    """A new version stood there before what it changes came."""
    return recorded.position, str(microseconds(recorded.occurred_at)), (str(message.said_id),), None


def _place(
    tx: Transaction, prefix: str, position: int, replaced: str, ids: Sequence[str], to: Sequence[str] | None
) -> None:
    """Move an entry that stands already, or end one that does not stand any more."""
    where = "id = ? AND changes = 1" if to is None else "conversation_id = ? AND id = ?"
    columns = ",".join(_COLUMNS)
    kept = f"INSERT INTO {prefix}{LEFT} (left_at, replaced, {columns}) SELECT {position}, {replaced}, {columns}"
    tx.run(f"{kept} FROM {prefix}timeline WHERE {where}", ids)
    if to is None:
        tx.run(f"DELETE FROM {prefix}timeline WHERE {where}", ids)
    else:
        sql = f"UPDATE {prefix}timeline SET conversation_id = ?, customer_id = ?, came_at = ? WHERE {where}"
        tx.run(sql, (*to, position, *ids))


# --- queries ----------------------------------------------------------------------------------------------


def of_customer(tx: Transaction, customer_id: UUID, page: Page, wanted: Wanted = timeline_pages.ALL) -> list[Body]:
    """Return a page of everything that happened with a customer and all who are shown as one with them now."""
    return of_group(tx, groups.members(tx, customer_id), page, wanted)


def of_group(tx: Transaction, members: Sequence[str], page: Page, wanted: Wanted = timeline_pages.ALL) -> list[Body]:
    """Return a page of the timelines of several customers who are shown as one: as the first of them.

    Takes one range of an index for each customer, and for each combination of what is filtered by.
    """
    found = timeline_pages.of_customers(tx, members, page, wanted)
    return [{**body, "customer_id": members[0]} for body in _all_shown(tx, _rows(tx, found), wanted.moment)]


def of_conversation(tx: Transaction, conversation_id: UUID, page: Page, moment: Moment | None = None) -> list[Body]:
    """Return a page of a conversation's messages, calls, forms and notes, also of those merged into it.

    Now, or at a moment: then each with the customer of its event, whoever stood for them.
    """
    own = str(conversation_id)
    if moment is None:
        whose = [own, *conversations.merged_into(tx, conversation_id)]
    else:
        whose = [own, *conversations_past.merged_into(tx, own, moment.position)]
    found = timeline_pages.of_conversations(tx, whose, MESSAGE_KINDS, page, moment)
    shown = _all_shown(tx, _rows(tx, found), moment)
    return groups.as_one(tx, shown) if moment is None else shown


def message(tx: Transaction, message_id: UUID) -> Body | None:
    """Return one entry that we made or that changes (reply, note, call) by its id; others are found by their list."""
    found = tx.rows(f"{_SELECT} timeline WHERE id = ? AND changes = 1", (str(message_id),))
    return groups.as_one(tx, _all_shown(tx, found, None))[0] if found else None


def _rows(tx: Transaction, found: Sequence[timeline_pages.Key]) -> list[Row]:
    here = {key.position for key in found if not key.left_at}
    left = {key.left_at for key in found if key.left_at}
    rows = {(row[0], 0): row for row in _numbered(tx, f"{_SELECT} timeline WHERE position", here)}
    select = f"SELECT left_at, {_SELECT.removeprefix('SELECT ')} {LEFT} WHERE left_at"
    rows |= {(row[1], row[0]): row[1:] for row in _numbered(tx, select, left)}
    return [rows[key.position, key.left_at] for key in found]


def _numbered(tx: Transaction, sql: str, numbers: set[int]) -> list[Row]:
    found: list[Row] = []
    wanted = sorted(numbers)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        found += tx.rows(f"{sql} IN ({','.join('?' * len(part))})", part)
    return found


def _all_shown(tx: Transaction, rows: Sequence[Row], moment: Moment | None) -> list[Body]:
    """Return entries with what became of them since, or up to a moment."""
    bodies = [_shown(row) for row in rows]
    became = changes.changes_of(tx, [body["id"] for body in bodies], moment)
    of_parts = changes.changes_of(tx, list(changes.parts_of(bodies, became)), moment)
    return [changes.as_it_is(body, became.get(body["id"], ()), of_parts) for body in bodies]


def _shown(row: Row) -> Body:
    position, customer_id, conversation_id, body = row
    head = {"conversation_id": conversation_id or None, "customer_id": customer_id, "position": position}
    return {**shown(orjson.loads(body)), **head}
