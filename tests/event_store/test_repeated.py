"""A command given again under the id it had: answered as the first time, also when nobody knows the words any more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from services.projector import inbound as intake
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import Refused
from shared.event_store.store import EventStore
from shared.keys.pages import KEYS
from shared.keys.ring import KeyRing
from tests.examples import OLGA, inbound


@pytest_asyncio.fixture
async def ring(tmp_path: Path) -> AsyncIterator[KeyRing]:
    made = KeyRing(open_database(f"sqlite:///{tmp_path / 'keys.db'}"), b"s" * 32)
    made.create_tables()
    yield made
    await made.close()


async def received(store: EventStore) -> e.MessageReceived:
    handled = await store.record(lambda session, tx: intake.receive(session, tx, [inbound()]))
    (message,) = [h.event for h in handled.happenings if isinstance(h.event, e.MessageReceived)]
    return message


def destroy_all(ring: KeyRing) -> None:
    with ring.database.reading() as tx:
        pages = [bytes(page) for (page,) in tx.rows("SELECT id FROM key_pages")]
    ring.destroy({page + bytes((slot,)) for page in pages for slot in range(KEYS)})


async def test_a_repeat_of_what_was_erased_meanwhile_is_still_no_news(
    database: Database, store: EventStore, ring: KeyRing
) -> None:
    store = EventStore(database, keys=ring)
    message = await received(store)
    target = (message.channel_id, (message.sender,), message.message_id, message.external_id)
    commands = {
        (note := uuid4()): c.AddNote(note, "ours"),
        (reply := uuid4()): c.RequestReply(reply, "hello", cc=(e.Address("email", "ben@example.com"),)),
        (action := uuid4()): c.RequestAction(action, "react", *target, "\N{THUMBS UP SIGN}"),
    }
    for id_, command in commands.items():
        assert len((await store.handle(message.conversation_id, command, OLGA, id_)).happenings) == 1
    destroy_all(ring)
    for id_, command in commands.items():
        assert (await store.handle(message.conversation_id, command, OLGA, id_)).happenings == []
    with pytest.raises(Refused, match="something else"):
        await store.handle(message.conversation_id, c.AddNote(reply, "ours"), OLGA, reply)
