"""Who is one person with whom as the log stands, read in the transaction of the decision that depends on it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from shared.database.protocol import Transaction
from shared.domain.merge import Merged, root_of
from shared.event_store.session import Session

Groups = dict[UUID, list[UUID]]


def roots_of(session: Session, tx: Transaction, customer_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Return who stands for each of some customers: themselves where they are not merged into another."""
    wanted = list(dict.fromkeys(customer_ids))
    into, new = dict[UUID, Merged](), wanted
    while new:
        found = _merged(session, tx, "customer_id", new)
        into |= found
        new = [merged.into_id for merged in found.values() if merged.into_id not in into]
    return {id_: root_of(id_, into.get) for id_ in wanted}


def members_of(session: Session, tx: Transaction, root_ids: Iterable[UUID]) -> Groups:
    """Return all for whom some customers stand, each with themselves first."""
    groups = {id_: [id_] for id_ in root_ids}
    root_by_id = {id_: id_ for id_ in groups}
    new = list(groups)
    while new:
        found = _merged(session, tx, "into_id", new)
        new = sorted(id_ for id_ in found if id_ not in root_by_id)
        for id_ in new:
            root_by_id[id_] = root_by_id[found[id_].into_id]
            groups[root_by_id[id_]].append(id_)
    return groups


def group_of(session: Session, tx: Transaction, customer_id: UUID) -> list[UUID]:
    """Return all who are one person with a customer; who stands for them first."""
    root = roots_of(session, tx, [customer_id])[customer_id]
    return members_of(session, tx, [root])[root]


def groups_of(session: Session, tx: Transaction, customer_ids: Iterable[UUID]) -> Groups:
    """Return the groups that some customers are in, by each of their members; nothing of those who are alone."""
    found = members_of(session, tx, roots_of(session, tx, customer_ids).values())
    return {id_: members for members in found.values() if len(members) > 1 for id_ in members}


def _merged(session: Session, tx: Transaction, column: str, ids: list[UUID]) -> dict[UUID, Merged]:
    """Return who is merged into whom, of those whose `column` is one of `ids`, with what this session has decided."""
    sql = f"SELECT customer_id, into_id, merge_id FROM routing_merges WHERE {column}"
    found = {UUID(id_): Merged(UUID(into), UUID(merge)) for id_, into, merge in tx.rows_in(sql, list(map(str, ids)))}
    for id_, merged in session.entries.merged.items():
        found.pop(id_, None)
        if merged is not None and (id_ if column == "customer_id" else merged.into_id) in ids:
            found[id_] = merged
    return found
