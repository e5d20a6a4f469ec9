"""Who is one customer at present, as the routing index has it: on both databases, also within a transaction."""

from __future__ import annotations

from uuid import UUID

from services.projector import inbound as intake
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store import merging
from shared.event_store.mapper import About
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from tests.examples import AT, OLGA, inbound

ABOUT = About(AT, OLGA)
Found = tuple[list[UUID], dict[UUID, UUID]]


def found(session: Session, tx: Transaction, ids: list[UUID]) -> Found:
    return sorted(merging.together(session, tx, ids[0])), merging.stand_for(session, tx, ids)


async def test_a_chain_of_merges_is_one_until_it_is_taken_apart(database: Database, store: EventStore) -> None:
    mails = [inbound(sender=f"{name}@example.com") for name in ("a", "b", "c", "d")]
    handled = await store.record(lambda session, tx: intake.receive(session, tx, mails))
    a, b, c, d = (h.event.customer_id for h in handled.happenings if isinstance(h.event, e.CustomerRegistered))
    seen: list[Found] = []

    def merge(session: Session, tx: Transaction) -> None:
        seen.append(found(session, tx, [a, b, c, d]))
        merging.merge(session, tx, a, b, ABOUT)
        merging.merge(session, tx, b, c, ABOUT)
        seen.append(found(session, tx, [a, b, c, d]))

    def unmerge(session: Session, tx: Transaction) -> None:
        seen.append(found(session, tx, [a, b, c, d]))
        merging.unmerge(session, tx, c, b, ABOUT)
        seen.append(found(session, tx, [a, b, c, d]))

    await store.record(merge)
    await store.record(unmerge)
    alone, chain = {a: a, b: b, c: c, d: d}, {a: c, b: c, c: c, d: d}
    assert [roots for _, roots in seen] == [alone, chain, chain, {a: b, b: b, c: c, d: d}]
    assert [seen[n][0] for n in (0, 2, 3)] == [[a], sorted([a, b, c]), sorted([a, b])]
