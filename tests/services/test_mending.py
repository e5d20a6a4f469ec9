"""An event that cannot be read stops nobody: it is named, everything else goes on, and it is shown once it can be."""

from __future__ import annotations

from functools import partial
from uuid import UUID, uuid4

import pytest

from services import mending
from services.doctor import _log
from services.mending import mend
from services.projector.follow import follow
from services.projector.inbound import receive
from services.projector.rebuild import Wanted, rebuild
from services.projector.relay import Relay
from shared.contracts import codec, topics
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Conflict, Database, DatabaseUnavailable, Occupied, Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.log import head, read_log
from shared.event_store.store import EventStore
from shared.read_models import holes, live
from shared.transport.embedded import EmbeddedTransport
from shared.transport.embedded_look import look_embedded
from tests.audit.test_unreadable import column
from tests.examples import OLGA, inbound
from tests.read_models.contents import contents
from tests.services.fakes import until
from tests.services.projector.running import running

TOMORROWS = b'{"recorded_at":"2026-11-22T10:00:00Z","event":{"of":"tomorrow"}}'


async def said(store: EventStore, text: str, sender: str) -> e.MessageReceived:
    item = inbound(text, sender)
    happenings = (await store.record(lambda session, tx: receive(session, tx, [item]))).happenings
    return next(h.event for h in happenings if isinstance(h.event, e.MessageReceived))


async def position_of(database: Database, text: str) -> int:
    events = await database.read(lambda tx: read_log(tx, 0, 1000))
    return next(r.position for r in events if isinstance(r.event, e.MessageReceived) and r.event.text == text)


async def put(database: Database, position: int, topic: str, state: bytes) -> tuple[str, bytes]:
    """Write an event of the log anew; return what it was."""
    (was,) = await database.read(
        lambda tx: tx.rows(f"SELECT topic, state FROM stored_events WHERE {column(tx)} = {position}")
    )

    def write(tx: Transaction) -> None:
        tx.run(f"UPDATE stored_events SET topic = ?, state = ? WHERE {column(tx)} = ?", (topic, state, position))

    await database.write(write)
    return was[0], bytes(was[1])


async def shown_texts(database: Database) -> str:
    return repr((await database.read(contents))["timeline"])


async def told(database: Database) -> list[UUID]:
    replies = []
    async for records in look_embedded(database, topics.OUTBOUND):
        replies += [codec.decode(record.value, record.headers) for record in records]
    return [reply.id for reply in replies if isinstance(reply, OutboundReply)]


async def is_followed(database: Database) -> bool:
    return await database.read(lambda tx: head(tx) == live.position(tx))


async def test_everything_else_is_shown_and_sent_and_the_rest_once_it_can_be_read(
    database: Database, store: EventStore
) -> None:
    lost = await said(store, "Written by a newer Okno", "anna@example.com")
    other = await said(store, "Readable", "boris@example.com")
    replies = [uuid4(), uuid4()]
    for reply_id, message in zip(replies, (lost, other), strict=True):
        await store.handle(message.conversation_id, c.RequestReply(reply_id, "Ответ"), OLGA)
    position = await position_of(database, lost.text)
    was = await put(database, position, "MessageReceivedTomorrow", TOMORROWS)
    store = EventStore(database)
    transport = EmbeddedTransport(database)
    await transport.start()
    relay = Relay(database, store, transport.publisher())
    async with running(follow(database, store), relay.run()):
        await until(partial(is_followed, database))

        async def other_is_told() -> bool:
            return await told(database) == replies[1:]

        await until(other_is_told)
        texts = await shown_texts(database)
        assert ("Readable" in texts, lost.text in texts) == (True, False)
        noted = await database.read(lambda tx: holes.noted(tx, 0, 10))
        assert [hole.position == position for hole in noted] == [True, False]  # and the reply that quotes it
        assert await mend(database, transport.publisher()) == 0
        await put(database, position, *was)
        assert await mend(database, transport.publisher()) == 2
    assert lost.text in await shown_texts(database)
    assert set(await told(database)) == set(replies)
    assert await database.read(holes.count) == 0
    assert [each.equal for each in await rebuild(database, Wanted(switch=False))].count(False) == 0


async def test_a_reply_that_was_passed_over_before_anybody_showed_the_log_is_told_once_it_can_be_read(
    database: Database, store: EventStore
) -> None:
    message = await said(store, "Hello", "anna@example.com")
    reply_id = uuid4()
    position = (await store.handle(message.conversation_id, c.RequestReply(reply_id, "Ответ"), OLGA)).position
    was = await put(database, position, "ReplyRequested", b"\x07damaged")
    store = EventStore(database)
    transport = EmbeddedTransport(database)
    await transport.start()

    async def is_noted() -> bool:
        return [hole.position for hole in await database.read(lambda tx: holes.noted(tx, 0, 10))] == [position]

    async with running(Relay(database, store, transport.publisher()).run()):
        await until(is_noted)
    await put(database, position, *was)
    async with running(follow(database, EventStore(database))):
        await until(partial(is_followed, database))
        assert await mend(database, transport.publisher()) == 1
    assert await told(database) == [reply_id]


async def test_what_fails_is_tried_ever_more_seldom_and_a_success_is_followed_by_a_rest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[int | Exception] = [DatabaseUnavailable("full"), Conflict("deadlock"), 0, Occupied("rebuilt"), 2]

    async def mended(*_: object) -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(mending, "mend", mended)
    each = mending.Mending(database, EmbeddedTransport(database).publisher())
    assert [await each._attempt() for _ in range(5)] == [120.0, 240.0, 60.0, 120.0, 600.0]


@pytest.mark.parametrize("state", [b"\x07damaged", b"", b"\x01dam"], ids=["changed", "empty", "sealed and cut off"])
async def test_a_rebuild_passes_over_what_is_damaged_and_doctor_names_it(
    database: Database, store: EventStore, state: bytes
) -> None:
    await said(store, "Damaged", "anna@example.com")
    await said(store, "Readable", "anna@example.com")
    position = await position_of(database, "Damaged")
    await put(database, position, "MessageReceived", state)
    await rebuild(database, Wanted())
    store = EventStore(database)
    async with running(follow(database, store)):
        await until(partial(is_followed, database))
    await rebuild(database, Wanted())
    assert "Readable" in await shown_texts(database)

    class House:
        def __init__(self) -> None:
            self.database = database

    found = await _log(House())  # type: ignore[arg-type]
    assert [state for state, _ in found] == ["wrong"] * 3
    assert f"position {position}" in found[1][1]
