"""What operators decide, as it goes out: recipients, markup, actions on earlier messages."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from services.projector import relay
from shared.contracts import codec, topics
from shared.contracts.inbound import Address
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.log import read_log
from shared.event_store.store import EventStore
from tests.examples import ANNA, CONVERSATION, MAILBOX, OLGA, SYSTEM, received

BOSS = e.Address("email", "boss@example.com")


async def relayed(database: Database) -> list[Any]:
    log = await database.read(lambda tx: read_log(tx, 0, 1000))
    outgoing = [r for r in log if isinstance(r.event, e.ReplyRequested | e.ActionRequested | e.ReplyRetried)]
    outbox = await database.read(partial(relay.outbox_of, events=outgoing))
    return [codec.decode(record.value, dict(record.headers)) for record in outbox[topics.OUTBOUND]]


async def test_a_reply_leaves_with_all_that_was_asked(database: Database, store: EventStore) -> None:
    await store.handle(CONVERSATION, c.ReceiveMessage(received(), ""), SYSTEM)
    command = c.RequestReply(uuid4(), "**Hi**", (), "markdown", (BOSS,), (ANNA,), (BOSS,), quotes=True, automatic=True)
    await store.handle(CONVERSATION, command, OLGA)
    (reply,) = await relayed(database)
    boss, anna = Address("email", "boss@example.com"), Address("email", "anna@example.com", "Anna")
    assert isinstance(reply, OutboundReply)
    assert (reply.to, reply.cc, reply.bcc, reply.markup) == ((boss,), (anna,), (boss,), "markdown")
    assert (reply.quotes, reply.automatic, reply.action, reply.author) == (True, True, "message", "Olga")


async def test_a_retry_leaves_with_the_attempts_that_were_lost(database: Database, store: EventStore) -> None:
    id_ = uuid4()
    await store.handle(CONVERSATION, c.ReceiveMessage(received(), ""), SYSTEM)
    await store.handle(CONVERSATION, c.RequestReply(id_, "Hi"), OLGA)
    await store.handle(CONVERSATION, c.RecordDelivery(id_, MAILBOX, 1, "unknown", 1, error="cut off"), SYSTEM)
    await store.handle(CONVERSATION, c.RetryReply(id_), OLGA)
    first, second = await relayed(database)
    assert second == replace(first, attempt=2, lost=(1,), requested_at=second.requested_at)


async def test_an_action_leaves_and_leaves_again_when_it_is_retried(database: Database, store: EventStore) -> None:
    message, id_ = received(), uuid4()
    await store.handle(CONVERSATION, c.ReceiveMessage(message, ""), SYSTEM)
    about = (MAILBOX, (ANNA,), message.message_id, "7", "Hello", "markdown", "chat-1", "101")
    await store.handle(CONVERSATION, c.RequestAction(id_, "edit", *about), OLGA)  # type: ignore[arg-type]
    await store.handle(CONVERSATION, c.RecordDelivery(id_, MAILBOX, 1, "failed", 1, error="no"), SYSTEM)
    await store.handle(CONVERSATION, c.RetryReply(id_), OLGA)
    first, second = await relayed(database)
    assert (first.id, first.action, first.target, first.text, first.markup) == (id_, "edit", "7", "Hello", "markdown")
    assert (first.thread_key, first.operator_address, first.attempt) == ("chat-1", "101", 1)
    assert (second.id, second.action, second.attempt, second.author) == (id_, "edit", 2, "Olga")


class Outbox:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    async def publish_many(self, topic: str, records: Any) -> None:
        self.records += records


async def test_a_reply_of_another_process_leaves_with_what_this_one_records(
    database: Database, store: EventStore
) -> None:
    outbox, message = Outbox(), received()
    relaying = relay.Relay(database, store, outbox)  # type: ignore[arg-type]
    await store.handle(CONVERSATION, c.ReceiveMessage(message, ""), SYSTEM)
    command = c.RequestReply(uuid4(), "Hi", (), "plain", (BOSS,), (), ())
    await EventStore(database).handle(CONVERSATION, command, OLGA)
    await store.handle(CONVERSATION, c.AddNote(uuid4(), "a note"), OLGA)
    while await relaying._relay_next():
        pass  # it waits to be woken only when nothing is left
    assert len(outbox.records) == 1
