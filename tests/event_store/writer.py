"""A process that appends: `python -m tests.event_store.writer URL COUNT NAME`; prints the positions it was given."""

from __future__ import annotations

import asyncio
import sys
from uuid import uuid4

from shared.database.open import open_database
from shared.database.protocol import Transaction
from shared.domain import events as e
from shared.event_store.mapper import Happening
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from tests.examples import about


async def append(url: str, count: int, name: str) -> None:
    database = open_database(url)
    store = EventStore(database)
    for number in range(count):

        def decide(session: Session, tx: Transaction, number: int = number) -> None:
            for part in range(3):
                customer = uuid4()
                address = e.Address("email", f"{customer}@example.com", str(part))
                event = e.CustomerRegistered(customer, f"{name} {number}", address)
                session.append(customer, 1, Happening(event, about()))

        print((await store.record(decide)).position, flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(append(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
