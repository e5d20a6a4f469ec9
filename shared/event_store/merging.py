"""Merges, un-merges and suggests customers: the streams of all concerned and the routing index in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.domain import merge as rules
from shared.domain.errors import NoSuchThing, Refused
from shared.event_store.log_streams import read_stream, read_streams
from shared.event_store.mapper import About, Happening
from shared.event_store.routing import merged_into
from shared.event_store.session import Session


def merge(session: Session, tx: Transaction, customer_id: UUID, into_id: UUID, about: About) -> None:
    """Merge a customer, with all who are merged into them, into another one. Raises Refused."""
    for id_ in (customer_id, into_id):
        _check_existing(session, tx, id_)
    merge_id = uuid5(customer_id, f"merge {_length(session, tx, customer_id)}")
    _add(session, rules.merge(customer_id, into_id, _into(session, tx), merge_id), about)


def unmerge(session: Session, tx: Transaction, group_of: UUID, customer_id: UUID, about: About) -> None:
    """Take a customer out of the group that `group_of` is in. Raises Refused."""
    for id_ in (group_of, customer_id):
        _check_existing(session, tx, id_)
    _add(session, rules.unmerge(group_of, customer_id, _into(session, tx)), about)


def suggest(session: Session, tx: Transaction, one: UUID, other: UUID, reason: e.Reason, about: About) -> None:
    """Suggest that two customers are one, unless that is known or refused already."""
    state = _suggestion(session, tx, rules.suggestion_id(one, other))
    for event in rules.suggest(one, other, reason, state):
        session.add(event.suggestion_id, Happening(event, about))


def refuse(session: Session, tx: Transaction, suggestion_id: UUID, about: About) -> None:
    """Never suggest this pair again. Raises NoSuchThing."""
    for event in rules.refuse(_suggestion(session, tx, suggestion_id)):
        session.add(suggestion_id, Happening(event, about))


def accept(session: Session, tx: Transaction, suggestion_id: UUID, into: UUID | None, about: About) -> UUID:
    """Merge the two of a suggestion and return who stands for both: `into`, else who was registered first.

    Raises Refused, also when `into` is none of the two or somebody has merged them meanwhile.
    """
    suggestion = _suggestion(session, tx, suggestion_id)
    if suggestion.state == "refused":
        raise Refused("refused", "Somebody has said meanwhile that they are two: merge them by hand if they are one")
    one, other = (rules.root_of(id_, _into(session, tx)) for id_ in rules.suggested_pair(suggestion))
    if into is None:
        into = min((one, other), key=lambda id_: _registered(tx, id_))
    if into not in (one, other):
        raise Refused("not_of_the_two", f"The suggestion is of {one} and {other}: one of them stands for both")
    merge(session, tx, other if into == one else one, into, about)
    return into


def ever_together(tx: Transaction, *customer_ids: UUID) -> list[UUID]:
    """Return all customers who are or were in one group with some, directly or by others; first of all themselves.

    Whoever was ever merged with them is named in a stream that is found here: each merge stands in that of the
    member and in that of whoever stood for all at the time.
    """
    found, new = dict.fromkeys(customer_ids), list(dict.fromkeys(customer_ids))
    while new:
        named = (id_ for recorded in read_streams(tx, new) for id_ in _named(recorded.event))
        new = [id_ for id_ in dict.fromkeys(named) if id_ not in found]
        found |= dict.fromkeys(new)
    return list(found)


def _named(event: e.Event) -> tuple[UUID, ...]:
    match event:
        case e.CustomersMerged():
            return event.into_id, event.root_id
        case e.CustomerUnmerged():
            return event.from_id, event.root_id
        case e.MemberJoined():
            return event.member_id, event.into_id
        case e.MemberLeft():
            return event.member_id, event.from_id
    return ()


def _registered(tx: Transaction, customer_id: UUID) -> tuple[datetime, str]:
    """Return what tells which of two customers was there first."""
    return read_stream(tx, customer_id)[0].recorded_at, str(customer_id)


def _add(session: Session, events: Iterable[e.MergeEvent], about: About) -> None:
    for event in events:
        session.add(event.customer_id, Happening(event, about))


def _into(session: Session, tx: Transaction) -> rules.Into:
    merged = session.entries.merged
    return lambda id_: merged[id_] if id_ in merged else merged_into(tx, id_)


def _suggestion(session: Session, tx: Transaction, suggestion_id: UUID) -> rules.Suggestion:
    return rules.suggestion_of(_events(session, tx, suggestion_id))


def _events(session: Session, tx: Transaction, stream_id: UUID) -> Sequence[object]:
    appended = [happening.event for stream, _, happening in session.appended if stream == stream_id]
    return [recorded.event for recorded in read_stream(tx, stream_id)] + appended


def _length(session: Session, tx: Transaction, stream_id: UUID) -> int:
    return len(_events(session, tx, stream_id))


def _check_existing(session: Session, tx: Transaction, customer_id: UUID) -> None:
    if not any(isinstance(event, e.CustomerRegistered) for event in _events(session, tx, customer_id)):
        raise NoSuchThing("no_such_customer", f"There is no customer {customer_id}")
