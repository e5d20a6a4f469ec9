"""What a batch needs of many conversations is read at once, and decided upon as if each had been read by itself."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.projector import inbound as intake
from shared.contracts.inbound import InboundMessage
from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store.cache import StateCache
from shared.event_store.log import read_log
from shared.event_store.session import FORESEEN_EVENTS, Session
from shared.event_store.store import EventStore
from tests.examples import inbound

CLIENTS = 30
STATEMENTS = 20
"""Of a batch of any size; with one for each conversation there were 60 more."""


def mail(client: int, number: int = 0) -> InboundMessage:
    """The first mail of a client, or a later one that answers it."""
    ids = [f"<{client}-{each}@example.com>" for each in (0, number)]
    return inbound(sender=f"client{client}@example.com", external_id=ids[1], refers_to=ids[:1] if number else ())


async def take_in(store: EventStore, mails: Sequence[InboundMessage]) -> None:
    await store.record(lambda session, tx: intake.receive(session, tx, mails))


async def conversations(database: Database) -> list[UUID]:
    opened = [r.event for r in await database.read(lambda tx: read_log(tx, 0, 10_000))]
    return [event.conversation_id for event in opened if isinstance(event, e.ConversationOpened)]


async def test_answers_in_many_conversations_take_few_statements(sqlite_url: str, store: EventStore) -> None:
    await take_in(store, [mail(client) for client in range(CLIENTS)])
    database, told = open_database(sqlite_url), list[str]()

    def answer(session: Session, tx: Transaction) -> None:
        tx.connection.set_trace_callback(told.append)
        intake.receive(session, tx, [mail(client, 1) for client in range(CLIENTS)])
        tx.connection.set_trace_callback(None)

    await EventStore(database).record(answer)
    await database.close()
    assert 0 < len(told) < STATEMENTS


async def test_answers_to_what_another_process_took_in_join_it(any_url: str, store: EventStore) -> None:
    """Also where it is too long to be read at once."""
    await take_in(store, [mail(client, number) for client in (1, 2) for number in range(3)])
    await take_in(store, [mail(3, number) for number in range(FORESEEN_EVENTS + 5)])
    database = open_database(any_url)
    await take_in(EventStore(database), [mail(client, FORESEEN_EVENTS + 10) for client in (1, 2, 3)])
    versions = [r.version for r in await database.read(lambda tx: read_log(tx, 0, 10_000))][-3:]
    assert (len(await conversations(database)), versions) == (3, [5, 5, FORESEEN_EVENTS + 7])
    await database.close()


async def test_what_is_foreseen_is_what_the_log_says(database: Database, store: EventStore) -> None:
    await take_in(store, [mail(client, number) for client in range(3) for number in range(3)])
    ids = await conversations(database)

    def look(tx: Transaction) -> None:
        foreseeing, other = Session(tx, StateCache()), Session(tx, StateCache())
        foreseeing.foresee(ids)
        for id_ in ids:
            assert foreseeing.conversation(id_) == other.conversation(id_)
            assert foreseeing.conversation(id_).version == 4

    await database.read(look)
