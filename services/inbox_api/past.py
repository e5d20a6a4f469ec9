"""Any past moment: what we knew then (recorded_at: what an operator saw), or what had happened by then (occurred_at).

Timelines are their table with an end. Customers and conversations are made of their streams' events up to then, by the
code that makes the present ones; lists find by an index which conversations there were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from services.inbox_api.channel_names import Body
from services.inbox_api.past_groups import groups_at, of_customers
from shared.database.protocol import Transaction
from shared.domain.events import ConversationEvent, Recorded
from shared.event_store.cards import own_fields_of
from shared.event_store.log import read_log, read_positions
from shared.event_store.log_streams import read_beginnings, read_versions
from shared.event_store.moments import position_at
from shared.read_models import cards, clocks, conversations, conversations_past, customers, groups, reach, timeline
from shared.read_models.moment import By, Moment, microseconds
from shared.read_models.past import tables_of

NOT_ASKED = ("timeline", "attachments", "clocks", "causes")
BATCH = 1000
Otherwise = dict[str, set[int]]
"""By conversation: positions of events that either were known and had not happened, or the other way round."""
_NEARLY = clocks.LEAST
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listed:
    """Which conversations a list has; None: all."""

    status: str | None
    customer_id: UUID | None
    before: int | None
    limit: int
    assignee_id: UUID | None = None
    """For the present only."""


def moment_at(tx: Transaction, at: datetime, by: By) -> Moment:
    """Return the moment as the tables know it."""
    return Moment(position_at(tx, at), at if by == "happened" else None)


def conversation(tx: Transaction, conversation_id: UUID, at: datetime, by: By) -> Body | None:
    """Return a conversation as it stood; None when there was none yet, or the id is of something else."""
    if not any(isinstance(begun.event, ConversationEvent) for begun in read_beginnings(tx, [conversation_id])):
        return None
    moment = moment_at(tx, at, by)
    return next(iter(_conversations(tx, [conversation_id], moment, _otherwise(tx, moment))), None)


def messages(tx: Transaction, conversation_id: UUID, page: timeline.Page, at: datetime, by: By) -> list[Body]:
    """Return a page of a conversation's messages as they stood."""
    moment = moment_at(tx, at, by)
    found = timeline.of_conversation(tx, conversation_id, page, moment)
    then = groups_at(tx, {UUID(body["customer_id"]) for body in found}, moment)
    return [{**body, "customer_id": str(then.root(UUID(body["customer_id"])))} for body in found]


def customer(tx: Transaction, customer_id: UUID, at: datetime, by: By) -> Body | None:
    """Return a customer and the card as they stood, with all they were shown as one with; None when not known yet."""
    moment = moment_at(tx, at, by)
    owner_of = {id_: member for member in _members(tx, customer_id, moment) for id_ in _ids(tx, member)}
    otherwise = _otherwise(tx, moment)
    merged = conversations_past.ever_merged(tx, list(owner_of))
    differing = [id_ for id_ in owner_of if str(id_) in otherwise or id_ in merged]
    stood = _conversations(tx, differing, moment, otherwise)
    had = {UUID(body["id"]) for body in stood if conversations.is_listed(body)}
    had |= {
        each.stream_id
        for each in read_beginnings(tx, [id_ for id_ in owner_of if id_ not in differing])
        if each.position <= moment.position
    }
    owners = {owner_of[UUID(body["id"])] for body in stood} | {owner_of[id_] for id_ in had}
    events = [*of_customers(tx, {customer_id}, moment, owners), *read_beginnings(tx, list(had))]
    with tables_of(sorted(events, key=_position), NOT_ASKED) as past:
        found = customers.customer(past, customer_id)
        if found is None:
            return None
        found["card"] = cards.card(past, UUID(found["id"]), own_fields_of(tx, moment.position))
    return reach.with_blocks(found, _blocks(tx, reach.members(found), moment, otherwise))


def _blocks(tx: Transaction, members: Sequence[str], moment: Moment, otherwise: Otherwise) -> reach.Blocks:
    """Return where customers had blocked us; conversations are made again only where that was ever spoken of."""
    ids = [UUID(id_) for id_ in sorted(reach.conversations_told_of(tx, members, moment))]
    if not ids:
        return {}
    with _stood(tx, ids, moment, otherwise) as past:
        return reach.blocks(past, members)


def _members(tx: Transaction, customer_id: UUID, moment: Moment) -> list[UUID]:
    return groups_at(tx, {customer_id}, moment).members(customer_id)


def _ids(tx: Transaction, customer_id: UUID) -> list[UUID]:
    return conversations.ids_of_customer(tx, customer_id)


def members_at(tx: Transaction, customer_id: UUID, moment: Moment | None) -> list[str]:
    """Return who is shown as one with a customer, now or at a moment; who stands for all first."""
    if moment is None:
        return groups.members(tx, customer_id)
    return [str(id_) for id_ in _members(tx, customer_id, moment)]


def page(tx: Transaction, wanted: Listed, at: datetime, by: By) -> list[Body]:
    """Return a page of the list of conversations as it stood, the one changed last first."""
    moment = moment_at(tx, at, by)
    otherwise = _otherwise(tx, moment)
    if wanted.customer_id is not None:
        theirs = [id_ for member in _members(tx, wanted.customer_id, moment) for id_ in _ids(tx, member)]
        return _first(_conversations(tx, theirs, moment, otherwise), wanted)
    ids = [UUID(version.conversation_id) for version in _versions(tx, wanted, moment, otherwise)]
    found = _conversations(tx, ids, moment, {})
    for start in range(0, len(some := sorted(otherwise)), BATCH):
        part = [UUID(id_) for id_ in some[start : start + BATCH]]
        found = _first(found + _conversations(tx, part, moment, otherwise), wanted)
    return _first(found, wanted)


def _versions(tx: Transaction, wanted: Listed, moment: Moment, without: Otherwise) -> list[conversations_past.Version]:
    """Return the page's conversations as we knew them, without those that had happened otherwise."""
    found: list[conversations_past.Version] = []
    before = wanted.before
    while len(found) < wanted.limit:
        some = conversations_past.page(tx, wanted.status, moment.position, before, wanted.limit)
        found += [version for version in some if version.conversation_id not in without]
        if len(some) < wanted.limit:
            break
        before = some[-1].position
    return found[: wanted.limit]


def _otherwise(tx: Transaction, moment: Moment) -> Otherwise:
    """Return what had happened and was not known, or was known and had not happened; nothing where known is meant.

    What is nearly the same on both clocks is looked for in the log around the moment.
    """
    at = moment.happened_until
    if at is None:
        return {}
    found: defaultdict[str, set[int]] = defaultdict(set)
    for conversation_id, position in clocks.between(tx, microseconds(at)):
        found[conversation_id].add(position)
    position = position_at(tx, max(at, _FIRST + _NEARLY) - _NEARLY)
    end = position_at(tx, min(at, _LAST - _NEARLY) + _NEARLY)
    while position < end and (events := read_log(tx, position, BATCH, pass_over=True)):
        for recorded in events:
            event: Any = recorded.event
            differs = (recorded.position <= moment.position) != (recorded.occurred_at <= at)
            if differs and recorded.position <= end and getattr(event, "conversation_id", None):
                found[str(event.conversation_id)].add(recorded.position)
        position = events[-1].position
    return dict(found)


def _conversations(tx: Transaction, ids: Sequence[UUID], moment: Moment, otherwise: Otherwise) -> list[Body]:
    """Return conversations as they stood, those that there were, the one changed last first."""
    with _stood(tx, ids, moment, otherwise) as past:
        return conversations.every_one(past)


@contextmanager
def _stood(tx: Transaction, ids: Sequence[UUID], moment: Moment, otherwise: Otherwise) -> Iterator[Transaction]:
    """Yield tables with these conversations as they stood, and with their customers."""
    ends = {str(id_): min([moment.position, *(each - 1 for each in otherwise.get(str(id_), ()))]) for id_ in ids}
    kept = conversations_past.kept(tx, ends)
    bodies = [each.body for each in kept.values()]
    events = _events(tx, {id_: kept[str(id_)].version if str(id_) in kept else 0 for id_ in ids}, moment, otherwise)
    happened: list[Any] = [recorded.event for recorded in events]
    owners = {event.customer_id for event in happened} | set(map(conversations.owner_of, bodies))
    events += of_customers(tx, owners, moment, owners)
    with tables_of(sorted(events, key=_position), NOT_ASKED, lambda past: conversations.restore(past, bodies)) as past:
        yield past


def _events(tx: Transaction, after: Mapping[UUID, int], moment: Moment, otherwise: Otherwise) -> list[Recorded]:
    """Return conversations' events after a version of each, up to a moment."""
    plain = {id_: version for id_, version in after.items() if str(id_) not in otherwise}
    found = read_versions(tx, plain, moment.position, conversations_past.KEEP_EVERY)
    for id_, version in after.items():
        if differing := otherwise.get(str(id_)):
            found += _differing(tx, id_, version, moment, differing)
    return found


def _differing(tx: Transaction, id_: UUID, after_version: int, moment: Moment, differing: set[int]) -> list[Recorded]:
    """Return what had happened in a conversation of which not the same was known.

    What it begins with is there if anything is: a message that was said before the one that opened its conversation
    stands in that conversation all the same.
    """
    late = [position for position in differing if position > moment.position]
    all_known = read_versions(tx, {id_: after_version}, moment.position)
    found = [*[each for each in all_known if each.position not in differing], *read_positions(tx, late)]
    if after_version == 0 and found and all(recorded.version > 1 for recorded in found):
        found += read_beginnings(tx, [id_])
    return found


def _position(recorded: Recorded) -> int:
    return recorded.position


def _first(found: Sequence[Body], wanted: Listed) -> list[Body]:
    """Return those of a page, the one changed last first."""
    fits = (
        body
        for body in sorted(found, key=lambda body: -int(body["position"]))
        if conversations.is_listed(body)
        and (wanted.status is None or body["status"] == wanted.status)
        and (wanted.before is None or body["position"] < wanted.before)
    )
    return list(islice(fits, wanted.limit))
