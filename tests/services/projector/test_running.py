"""The projector's parts at work: over the embedded transport, on both databases, through poison and outages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest

from services.projector import inbound
from services.projector.feed import Feed
from services.projector.follow import follow, wake_snoozed
from services.projector.intake import Intake, IntakeLoop
from services.projector.main import Projector
from services.projector.relay import POSITION, Relay
from shared.clock import now
from shared.contracts import topics
from shared.contracts.codec import Contract
from shared.contracts.inbound import Address, InboundMessage
from shared.contracts.outbound import OutboundReply, Quoted
from shared.contracts.retry import RetryUnreadable
from shared.database import postgres
from shared.database.open import open_database
from shared.database.protocol import Database, Transaction
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from shared.read_models import conversations, live, timeline
from shared.transport.embedded import EmbeddedTransport
from shared.transport.limits import MAX_RECORD_BYTES
from shared.transport.protocol import Outgoing, Record, TransportUnavailable
from tests.examples import AT, MAILBOX, OLGA, delivery_report, outgoing, unreadable
from tests.examples import inbound as item_of
from tests.peers.postgres import PostgresServer
from tests.services.fakes import MemoryTransport, until
from tests.services.projector.running import events, intakes, messages, names, publish, running, until_recorded
from tests.stores import create_all_tables

NEW = ["CustomerRegistered", "ConversationOpened", "MessageReceived"]


async def received(store: EventStore, **other: object) -> tuple[InboundMessage, e.MessageReceived]:
    item = item_of(**other)  # type: ignore[arg-type]
    handled = await store.record(lambda session, tx: inbound.receive(session, tx, [item]))
    message = handled.happenings[-1].event
    assert isinstance(message, e.MessageReceived)
    return item, message


# --- intake -----------------------------------------------------------------------------------------------


async def test_what_is_published_is_recorded_once_with_its_position(
    database: Database, store: EventStore, embedded: EmbeddedTransport
) -> None:
    item = item_of()
    async with running(*intakes(store, embedded)):
        await publish(embedded, item, item, unreadable())
        await publish(embedded, item, item_of(refers_to=(item.external_id,)))
        await until_recorded(database, 5)
        await asyncio.sleep(0.1)
    assert await names(database) == [*NEW, "InboundQuarantined", "MessageReceived"]
    async with running(*intakes(EventStore(database), EmbeddedTransport(database))):
        await asyncio.sleep(0.2)
    assert len(await events(database)) == 5, "another process goes on where the first one stopped"


async def test_a_poison_record_is_given_up_in_5_seconds_and_the_others_go_on(
    database: Database, store: EventStore, embedded: EmbeddedTransport
) -> None:
    poison, before, after = item_of("poison"), item_of("before"), item_of("after")

    def handle(session: Session, tx: Transaction, contracts: Sequence[Contract]) -> None:
        if poison.id in [contract.id for contract in contracts if isinstance(contract, InboundMessage)]:
            raise ZeroDivisionError("digesting")
        inbound.receive(session, tx, contracts)

    intake = Intake(topics.INBOUND, "projector", handle, inbound.give_up)
    async with running(IntakeLoop(store, embedded, intake).run()):
        await publish(embedded, before, poison, after)
        log = await until_recorded(database, 6, seconds=5)
    (given_up,) = [r.event for r in log if isinstance(r.event, e.InboundQuarantined)]
    assert (given_up.item_id, given_up.reason) == (poison.id, "internal error: ZeroDivisionError: digesting")
    assert set(await messages(database)) == {before.id, after.id}


async def test_what_is_no_contract_goes_to_the_dead_letters_and_the_others_go_on(
    database: Database, store: EventStore, embedded: EmbeddedTransport
) -> None:
    nonsense = Outgoing("k", b"{", {"ce_type": "okno.inbound.message.v1"})
    foreign = outgoing(delivery_report(uuid4(), uuid4()))
    deep = Outgoing("k", b'{"x":' + b"[" * 50_000, {"ce_type": "okno.inbound.message.v1"})
    letters = [nonsense, Outgoing("k", b"v", {}), foreign, deep]
    async with running(*intakes(store, embedded)):
        await embedded.publisher().publish_many(topics.INBOUND, [*letters, outgoing(item_of())])
        await until_recorded(database, 3, seconds=5)
    async with embedded.consumer(topics.DEAD_LETTERS, "test") as consumer:
        buried = await consumer.batch(10, 2)
    assert [letter.value for letter in buried] == [letter.value for letter in letters]
    assert buried[1].headers["okno-reason"] == "unknown event type ''"
    assert buried[2].headers["okno-reason"] == "DeliveryReport does not belong on okno.inbound"
    assert buried[2].headers["okno-source"].startswith("okno.inbound/")


async def test_a_letter_that_would_be_too_large_is_cut_and_the_others_go_on(
    database: Database, store: EventStore, embedded: EmbeddedTransport
) -> None:
    """Foreign producers may fill a record to the last byte: with the reason it would be over the limit."""
    large = Outgoing("k", bytes(MAX_RECORD_BYTES - 10), {})
    headed = Outgoing("k", b"v", {"x": "y" * (MAX_RECORD_BYTES // 4 - 10)})
    async with running(*intakes(store, embedded)):
        await embedded.publisher().publish_many(topics.INBOUND, [large, headed, outgoing(item_of())])
        await until_recorded(database, 3, seconds=5)
    async with embedded.consumer(topics.DEAD_LETTERS, "test") as consumer:
        buried = [letter for _ in range(2) for letter in await consumer.batch(1, 2)]
    assert [letter.headers["okno-cut-from"] for letter in buried] == [str(MAX_RECORD_BYTES - 10), "1"]
    assert [letter.headers["okno-offset"] for letter in buried] == ["1", "2"]
    assert large.value.startswith(buried[0].value)
    assert len(buried[0].value) > MAX_RECORD_BYTES * 0.99


async def test_a_client_who_writes_nul_is_shown_without_it(
    database: Database, store: EventStore, embedded: EmbeddedTransport
) -> None:
    """PostgreSQL has no NUL in texts; what a client writes must not stop the read models."""
    nul, escaped = "a\x00b", "a\\u0000b \\\x00"
    item = item_of(nul + escaped, nul + "@x", nul, subject=nul, external_id=nul, thread_key=nul)
    async with running(*intakes(store, embedded), follow(database, store)):
        await publish(embedded, item, unreadable(external_id=nul, reason=nul))
        await until_recorded(database, 4, seconds=5)
        await until(partial(_is_shown, database))
    (message,) = (await messages(database)).values()
    assert message.text == "a\ufffdba\\u0000b \\\ufffd"


async def _is_shown(database: Database) -> bool:
    log = await events(database)
    return bool(log) and await database.read(live.position) == log[-1].position


class Batches:
    """A consumer that gives prepared batches; remembers what it was asked."""

    def __init__(self, *batches: list[Record]) -> None:
        self.batches = list(batches)
        self.rewinds = 0
        self.committed: list[list[int]] = []

    def consumer(self, topic: str, group: str, positions: object = None) -> Batches:
        return self

    def publisher(self) -> MemoryTransport:
        return MemoryTransport()

    async def __aenter__(self) -> Batches:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def batch(self, limit: int, timeout_seconds: float) -> list[Record]:
        if self.batches:
            return self.batches.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def commit(self, records: Sequence[Record]) -> None:
        self.committed.append([record.offset for record in records])

    async def rewind(self) -> None:
        self.rewinds += 1


def record_of(contract: Contract, offset: int, source: str = "t/0") -> Record:
    made = outgoing(contract)
    return Record(source, offset, made.key, made.value, dict(made.headers))


async def test_a_batch_another_member_has_done_is_read_again_from_the_recorded_position(store: EventStore) -> None:
    await store.record(lambda session, tx: None, {"t/0": 5})
    consumer = Batches([record_of(item_of(), 5)], [record_of(item_of(), 6), record_of(item_of(), 7)])
    async with running(IntakeLoop(store, consumer, inbound.intake()).run()):  # type: ignore[arg-type]
        await until(lambda: consumer.committed)
    assert (consumer.rewinds, consumer.committed) == (1, [[6, 7]])
    assert await store.positions(["t/0"]) == {"t/0": 7}


async def test_an_intake_outlives_a_transport_that_is_away(database: Database, store: EventStore) -> None:
    class Flaky(Batches):
        async def batch(self, limit: int, timeout_seconds: float) -> list[Record]:
            found = await super().batch(limit, timeout_seconds)
            if not found:
                raise TransportUnavailable("away")
            return found

    consumer = Flaky([], [record_of(item_of(), 0)])
    async with running(IntakeLoop(store, consumer, inbound.intake()).run()):  # type: ignore[arg-type]
        await until(lambda: consumer.committed)
    assert await names(database) == NEW


# --- delivery ---------------------------------------------------------------------------------------------


async def test_reports_of_a_reply_move_it_forward_only(
    database: Database, store: EventStore, embedded: EmbeddedTransport
) -> None:
    _, message = await received(store)
    reply_id = uuid4()
    await store.handle(message.conversation_id, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)
    report = partial(delivery_report, reply_id, message.conversation_id)
    failed = report("failed", error="no such user", code="550", tries=3)
    async with running(*intakes(store, embedded)):
        strangers = [delivery_report(uuid4(), uuid4()), delivery_report(uuid4(), message.conversation_id)]
        await publish(embedded, *strangers, failed, failed, report("sent"), topic=topics.DELIVERY)
        await until_recorded(database, 5)
        await store.handle(message.conversation_id, c.RetryReply(reply_id), OLGA)
        await publish(embedded, report("sent"), report("unknown", attempt=2, error="lost"), topic=topics.DELIVERY)
        await until_recorded(database, 7)
        await asyncio.sleep(0.1)
    head = (message.conversation_id, message.customer_id, reply_id)
    assert [r.event for r in (await events(database))[4:]] == [
        e.ReplyFailed(*head, 1, 3, "no such user", "550"),
        e.ReplyRetried(*head, 2),
        e.ReplyFateUnknown(*head, 2, 1, "lost", ""),
    ]


# --- relay ------------------------------------------------------------------------------------------------


async def test_a_reply_is_relayed_with_what_it_answers(database: Database, store: EventStore) -> None:
    transport = MemoryTransport()
    item, message = await received(store, text="Where is it?", thread_key="7", refers_to=("<old@x>",))
    reply_id = uuid4()
    async with running(Relay(database, store, transport).run()):
        handled = await store.handle(message.conversation_id, c.RequestReply(reply_id, "Here"), OLGA, reply_id)
        await until(lambda: transport.records[topics.OUTBOUND])
    (reply,) = transport.contracts(topics.OUTBOUND)
    assert reply == OutboundReply(
        reply_id, message.conversation_id, MAILBOX, (Address("email", "anna@example.com", "Anna"),), "Question",
        "Here", "Olga", handled.happenings[0].about.occurred_at, item.external_id, ("<old@x>", item.external_id),
        "7", Quoted("Anna", AT, "Where is it?"), (), 1,
    )  # fmt: skip
    assert transport.records[topics.OUTBOUND][0].key == str(message.conversation_id)


async def test_a_retried_reply_is_relayed_as_its_next_attempt(database: Database, store: EventStore) -> None:
    transport = MemoryTransport()
    _, message = await received(store)
    reply_id = uuid4()
    await store.handle(message.conversation_id, c.RequestReply(reply_id, "Here"), OLGA, reply_id)
    report = c.RecordDelivery(reply_id, MAILBOX, 1, "failed", 1, error="x")
    await store.handle(message.conversation_id, report, e.Actor("system"))
    await store.handle(message.conversation_id, c.RetryReply(reply_id), e.Actor("operator", "x", "Ben"))
    async with running(Relay(database, store, transport).run()):
        await until(lambda: len(transport.records[topics.OUTBOUND]) == 2)
    first, second = transport.contracts(topics.OUTBOUND)
    assert isinstance(first, OutboundReply)
    assert isinstance(second, OutboundReply)
    assert (first.attempt, second.attempt, second.author, second.text) == (1, 2, "Olga", "Here")


async def test_a_crash_between_publish_and_position_repeats_the_same_cloudevent(
    database: Database, store: EventStore
) -> None:
    class Crash(Exception): ...

    class CrashingStore(EventStore):
        async def move_position(self, name: str, position: int) -> None:
            raise Crash

    transport = MemoryTransport()
    _, message = await received(store)
    reply_id = uuid4()
    await store.handle(message.conversation_id, c.RequestReply(reply_id, "Here"), OLGA, reply_id)
    with pytest.raises(Crash):
        await Relay(database, CrashingStore(database), transport).run()
    async with running(Relay(database, store, transport).run()):
        await until(lambda: len(transport.records[topics.OUTBOUND]) == 2)
        await until(partial(_position_is, store, 4))
    first, second = transport.records[topics.OUTBOUND]
    assert (first.value, first.headers) == (second.value, second.headers)


async def _position_is(store: EventStore, position: int) -> bool:
    return (await store.positions([POSITION])).get(POSITION, 0) >= position


async def test_a_transport_that_is_away_delays_a_reply_and_loses_none(database: Database, store: EventStore) -> None:
    transport = MemoryTransport()
    transport.down = True
    _, message = await received(store)
    reply_ids = [uuid4() for _ in range(3)]
    async with running(Relay(database, store, transport).run()):
        for reply_id in reply_ids:
            await store.handle(message.conversation_id, c.RequestReply(reply_id, "Here"), OLGA, reply_id)
        await asyncio.sleep(0.2)
        transport.down = False
        await until(lambda: len(transport.records[topics.OUTBOUND]) == 3)
    assert [reply.id for reply in transport.contracts(topics.OUTBOUND)] == reply_ids  # type: ignore[attr-defined]


async def test_a_retry_from_the_quarantine_carries_the_item_with_its_raw_bytes(
    database: Database, store: EventStore
) -> None:
    transport, item = MemoryTransport(), unreadable(b"\xff")
    await store.record(lambda session, tx: inbound.receive(session, tx, [item]))
    await store.handle_quarantine(item.id, c.RetryQuarantined(), OLGA)
    async with running(Relay(database, store, transport).run()):
        await until(lambda: transport.records[topics.RETRIES])
    (retry,) = transport.contracts(topics.RETRIES)
    assert isinstance(retry, RetryUnreadable)
    assert (retry.item, str(retry.requested_by)) == (item, OLGA.id)


async def test_the_feed_publishes_every_event_in_order(database: Database, store: EventStore) -> None:
    transport = MemoryTransport()
    await received(store)
    async with running(Feed(database, store, transport).run()):
        await received(store, sender="ben@example.com")
        await until(lambda: len(transport.records[topics.EVENTS]) == 6)
    log, records = await events(database), transport.records[topics.EVENTS]
    assert [record.headers["ce_sequence"] for record in records] == [str(r.position) for r in log]
    assert [record.headers["ce_type"] for record in records[:2]] == [
        "okno.event.CustomerRegistered.v1",
        "okno.event.ConversationOpened.v1",
    ]
    assert {record.key for record in records[:3]} == {str(log[0].stream_id)}
    assert len({record.headers["ce_id"] for record in records}) == 6


# --- follow, snooze, lead ---------------------------------------------------------------------------------


async def test_a_snoozed_conversation_wakes_when_its_time_has_come(database: Database, store: EventStore) -> None:
    _, message = await received(store)
    _, sleeper = await received(store)
    other = EventStore(database)
    until_ = now() + timedelta(seconds=0.3)
    await other.handle(message.conversation_id, c.Snooze(until_, now()), OLGA)
    await other.handle(sleeper.conversation_id, c.Snooze(until_ + timedelta(hours=1), now()), OLGA)
    async with running(follow(database, store)):
        await until(partial(_is_shown, database))
    async with running(follow(database, store), wake_snoozed(database, store)):
        log = await until_recorded(database, 8)
        await asyncio.sleep(0.2)
    last = log[-1]
    assert last.event == e.ConversationReopened(message.conversation_id, message.customer_id, "time")
    assert (last.actor, last.occurred_at >= until_) == (e.Actor("system"), True)
    assert len(await events(database)) == 8


async def test_following_shows_what_was_recorded(database: Database, store: EventStore) -> None:
    async with running(follow(database, store)):
        _, message = await received(store, text="Привет")
        await until(partial(_is_shown, database))
    (shown,) = await database.read(lambda tx: timeline.of_conversation(tx, message.conversation_id, timeline.Page()))
    listed = await database.read(lambda tx: conversations.page(tx, "open", None, None, 10))
    assert shown["text"] == "Привет"
    assert [conversation["id"] for conversation in listed] == [str(message.conversation_id)]


async def test_two_projectors_on_one_database_share_the_work_and_lose_nothing(
    any_url: str, database: Database, store: EventStore, embedded: EmbeddedTransport
) -> None:
    second = open_database(any_url)
    projectors = [
        Projector(database, embedded, store, embedded=True),
        Projector(second, embedded, EventStore(second), embedded=True),
    ]
    items = [item_of(str(n), f"client{n % 7}@example.com") for n in range(60)]
    async with running(*(projector.run() for projector in projectors)):
        for n, item in enumerate(items):
            await embedded.publisher().publish(topics.INBOUND, outgoing(item, item.sender.address))
            if n % 20 == 0:
                await asyncio.sleep(0.05)
        await until_recorded(database, 7 + 2 * 60)
        await until(partial(_is_shown, database))
    assert set(await messages(database)) == {item.id for item in items}
    assert await database.read(lambda tx: tx.row("SELECT count(*) FROM timeline")) == (60,)
    await second.close()


@pytest.mark.cluster
async def test_a_projector_outlives_a_restart_of_the_database(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "WATCH_SECONDS", 0.1)
    database = open_database(own_postgres.create_database())
    store, transport = create_all_tables(database), EmbeddedTransport(database)
    await transport.start()
    async with running(Projector(database, transport, store, embedded=True).run()):
        await publish(transport, item_of("before"))
        await until_recorded(database, 3)
        own_postgres.kill()
        await asyncio.sleep(0.5)
        own_postgres.start()
        await publish(transport, item_of("after"))
        await until_recorded(database, 5)
        await until(partial(_is_shown, database))
    assert [m.text for m in (await messages(database)).values()] == ["before", "after"]
    await database.close()
