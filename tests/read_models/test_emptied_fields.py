"""A field that somebody had emptied is emptied again once an import is undone, in the table as in the log."""

from __future__ import annotations

from uuid import uuid4

from shared.clock import now
from shared.database.protocol import Database, Transaction
from shared.domain import events as e
from shared.event_store.mapper import About, Happening
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from tests.read_models.contents import show


async def test_undoing_an_import_tells_emptied_from_never_written(database: Database, store: EventStore) -> None:
    customer, import_id = uuid4(), uuid4()
    address = e.Address("email", "anna@example.com")
    fields = ("segment", "notes")
    written = tuple(e.FieldChange(name, (), ("new",)) for name in fields)
    taken_back = tuple(e.FieldChange(name, ("new",), ()) for name in fields)
    events: list[e.Event] = [
        e.CustomerRegistered(customer, "Anna", address),
        e.CardChanged(customer, (e.FieldChange("segment", (), ("own",)),)),
        e.CardChanged(customer, (e.FieldChange("segment", ("own",), ()),)),
        e.CardChanged(customer, written, import_id, 1),
        e.CardChanged(customer, taken_back, import_id, 1, undone=True, emptied=("segment",)),
    ]
    about = About(now(), e.Actor("system"))

    def decide(session: Session, tx: Transaction) -> None:
        for event in events:
            session.add(customer, Happening(event, about))

    await store.record(decide)
    await show(database)
    rows = await database.read(lambda tx: tx.rows("SELECT fields FROM cards"))
    assert rows == [('{"segment":[]}',)]
