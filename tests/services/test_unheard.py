"""What was relayed and lost on its way to outbound is relayed again; what outbound knows, and what is young, is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services import doctor, unheard
from services.house import open_house
from services.outbound.ledger import Ledger
from services.privacy.job import carry_out
from services.privacy.main import stores_of
from services.projector import inbound as intake
from services.projector import relay
from services.unheard import POSITION, RelayAgain
from shared.contracts import codec, topics
from shared.contracts.outbound import OutboundReply
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.log import head, read_log
from shared.event_store.store import EventStore
from shared.registry import erasures
from shared.settings import read_settings
from shared.transport.protocol import TransportUnavailable
from tests.examples import ANNA, CONVERSATION, MAILBOX, OLGA, SYSTEM, Clock, inbound, received
from tests.privacy.test_under_way import closed_shop
from tests.services.fakes import MemoryTransport

WAIT = unheard.FIRST_WAIT.total_seconds()


@dataclass
class Shop:
    """A log whose relay has passed all of it; what it published is lost."""

    database: Database
    store: EventStore
    transport: MemoryTransport
    clock: Clock
    again: RelayAgain

    async def ask(self, text: str = "Hi") -> UUID:
        await self.store.handle(CONVERSATION, c.RequestReply(reply_id := uuid4(), text), OLGA)
        await self.relayed()
        return reply_id

    async def relayed(self) -> None:
        await self.store.move_position(relay.POSITION, await self.database.read(head))

    async def after(self, seconds: float) -> list[OutboundReply]:
        """Return what is relayed again by a look after some time."""
        self.clock.forward(seconds)
        before = len(self.transport.records[topics.OUTBOUND])
        count = await self.again.look()
        replies = [codec.decode(r.value, r.headers) for r in self.transport.records[topics.OUTBOUND][before:]]
        assert count == len(replies)
        return [reply for reply in replies if isinstance(reply, OutboundReply)]

    async def position(self) -> int:
        return (await self.store.positions([POSITION])).get(POSITION, 0)


@pytest.fixture
async def shop(database: Database, store: EventStore) -> Shop:
    transport, clock = MemoryTransport(), Clock()
    await store.handle(CONVERSATION, c.ReceiveMessage(received(), ""), SYSTEM)
    return Shop(database, store, transport, clock, RelayAgain(database, store, transport, clock))  # type: ignore[arg-type]


async def test_what_outbound_never_heard_of_is_relayed_again_ever_more_seldom_until_it_does(shop: Shop) -> None:
    reply_id = await shop.ask()
    assert await shop.after(0) == []
    assert await shop.after(WAIT - 1) == []
    (reply,) = await shop.after(1)
    assert (reply.id, reply.attempt, reply.text) == (reply_id, 1, "Hi")
    assert await shop.after(2 * WAIT - 1) == []
    assert await shop.after(1) == [reply]
    assert await shop.after(2 * WAIT) == []
    await Ledger(shop.database, "o").accept([reply])
    assert await shop.after(100 * WAIT) == []


async def test_what_outbound_knows_is_not_relayed_again(shop: Shop) -> None:
    reply_id = await shop.ask()
    (recorded,) = await shop.database.read(lambda tx: read_log(tx, head(tx) - 1, 1))
    records = await shop.database.read(lambda tx: relay.outbox_of(tx, [recorded])[topics.OUTBOUND])
    reply = codec.decode(records[0].value, dict(records[0].headers))
    assert isinstance(reply, OutboundReply)
    assert reply.id == reply_id
    await Ledger(shop.database, "o").accept([reply])
    assert [await shop.after(seconds) for seconds in (0, WAIT, WAIT)] == [[], [], []]
    assert await shop.position() == recorded.position


async def test_what_has_a_fate_in_the_log_is_not_relayed_again(shop: Shop) -> None:
    reply_id = await shop.ask()
    await shop.after(0)
    await shop.store.handle(CONVERSATION, c.RecordDelivery(reply_id, MAILBOX, 1, "failed", 1, error="no"), SYSTEM)
    assert await shop.after(WAIT) == []
    await shop.after(0)
    assert await shop.position() > 0


async def test_a_further_attempt_is_relayed_again_as_it_was_and_an_action_too(shop: Shop) -> None:
    reply_id, action_id = await shop.ask(), uuid4()
    (first,) = [await shop.after(0), await shop.after(WAIT)][1]
    await Ledger(shop.database, "o").accept([first])
    await shop.store.handle(CONVERSATION, c.RecordDelivery(reply_id, MAILBOX, 1, "unknown", 1, error="cut"), SYSTEM)
    await shop.store.handle(CONVERSATION, c.RetryReply(reply_id), OLGA)
    about = (MAILBOX, (ANNA,), uuid4(), "7", "Hello", "markdown", "chat-1", "101")
    await shop.store.handle(CONVERSATION, c.RequestAction(action_id, "edit", *about), OLGA)  # type: ignore[arg-type]
    await shop.relayed()
    await shop.after(0)
    second, action = await shop.after(WAIT)
    assert second == replace(first, attempt=2, lost=(1,), requested_at=second.requested_at)
    assert (action.id, action.action, action.attempt) == (action_id, "edit", 1)


async def test_what_the_relay_has_not_told_yet_is_left_to_it(shop: Shop) -> None:
    await shop.store.handle(CONVERSATION, c.RequestReply(uuid4(), "Hi"), OLGA)
    assert [await shop.after(seconds) for seconds in (0, WAIT, WAIT)] == [[], [], []]


async def test_another_process_begins_where_the_first_that_was_not_heard_of_stands(shop: Shop) -> None:
    reply_id = await shop.ask()
    await shop.after(0)
    assert await shop.position() == await shop.database.read(head) - 1
    shop.again = RelayAgain(shop.database, shop.store, shop.transport, shop.clock)  # type: ignore[arg-type]
    assert await shop.after(WAIT) == []
    assert [reply.id for reply in await shop.after(WAIT)] == [reply_id]


async def test_a_long_backlog_is_relayed_a_few_at_a_time_and_in_order(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unheard, "AT_ONCE", 2)
    monkeypatch.setattr(unheard, "MOST", 3)
    monkeypatch.setattr(unheard, "WINDOW", 1)
    monkeypatch.setattr(unheard, "PACE_SECONDS", 0)
    ids = [await shop.ask() for _ in range(5)]
    assert await shop.after(0) == []
    sent = [await shop.after(seconds) for seconds in (WAIT, 1, 1)]
    assert [[reply.id for reply in some] for some in sent] == [ids[:2], ids[2:3], []]
    await Ledger(shop.database, "o").accept(sent[0])
    assert await shop.after(0) == []
    assert [reply.id for reply in await shop.after(WAIT)] == ids[3:]


async def test_what_cannot_be_published_is_relayed_again_once_the_transport_is_back(shop: Shop) -> None:
    reply_id = await shop.ask()
    await shop.after(0)
    shop.transport.down = True
    with pytest.raises(TransportUnavailable):
        await shop.after(WAIT)
    shop.transport.down = False
    assert [reply.id for reply in await shop.after(0)] == [reply_id]


async def test_doctor_counts_what_outbound_has_not_heard_of(
    any_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = open_house(read_settings({"OKNO_DATABASE_URL": any_url}, tmp_path))
    try:
        item = inbound("Hello")
        happenings = (await house.store.record(lambda session, tx: intake.receive(session, tx, [item]))).happenings
        conversation = next(id_ for h in happenings if (id_ := getattr(h.event, "conversation_id", None)))
        await house.store.handle(conversation, c.RequestReply(uuid4(), "Hi"), OLGA)
        await house.store.move_position(relay.POSITION, await house.database.read(head))
        assert await doctor._replies(house) == [("ok", "each has left or is known to have failed")]
        monkeypatch.setattr(doctor, "now", partial(_later, doctor.now))
        ((state, found),) = await doctor._replies(house)
        assert (state, found.partition(":")[0]) == ("warning", "1 have not reached outbound for 15 minutes")
    finally:
        await house.close()


def _later(clock: Clock) -> object:
    return clock() + 2 * doctor.FATE_WITHIN


async def test_what_was_erased_meanwhile_fails_and_leaves_no_more(any_url: str, tmp_path: Path) -> None:
    transport, clock = MemoryTransport(), Clock()
    async with closed_shop(tmp_path / "data", "" if any_url.startswith("sqlite") else any_url) as (house, embedded):
        item = inbound("Hello")
        happenings = (await house.store.record(lambda session, tx: intake.receive(session, tx, [item]))).happenings
        message = next(h.event for h in happenings if isinstance(h.event, e.MessageReceived))
        await house.store.handle(message.conversation_id, c.RequestReply(uuid4(), "Hi"), OLGA)
        await house.store.move_position(relay.POSITION, await house.database.read(head))
        again = RelayAgain(house.database, house.store, transport, clock)  # type: ignore[arg-type]
        await again.look()
        customer = partial(erasures.add, kind="customer", subject_id=message.customer_id, until=None, reason="", by="o")
        await house.database.write(customer)
        await carry_out(stores_of(house, embedded))
        clock.forward(WAIT)
        assert await again.look() == 1
        assert transport.records == {}
        rows = await house.database.read(lambda tx: tx.rows("SELECT state, code, payload FROM deliveries"))
        assert [(state, code, bytes(payload)) for state, code, payload in rows] == [("failed", "erased", b"")]
        clock.forward(WAIT * 2)
        assert await again.look() == 0
