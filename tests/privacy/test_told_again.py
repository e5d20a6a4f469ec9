"""A reply that was told only by records whose keys are lost ends in a known fate all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.house import House, open_house
from services.outbound import announce
from services.outbound.ledger import Ledger, Outcome
from services.privacy import lost, lost_on_the_way
from services.privacy.job import carry_out
from services.privacy.told_again import tell
from services.projector.inbound import receive
from services.projector.relay import POSITION, outbox_of
from shared.clock import now
from shared.contracts import codec, topics
from shared.contracts.outbound import OutboundReply
from shared.contracts.retry import RetryUnreadable
from shared.domain import commands as c
from shared.event_store.log import head, read_log
from shared.read_models import live
from shared.settings import Settings
from shared.transport.protocol import Outgoing
from shared.transport.sealed import SealedTransport
from tests.examples import unreadable
from tests.privacy.test_erasure import erase
from tests.privacy.test_under_way import closed_shop
from tests.privacy.town import OLGA, Person, Town, settings_of, town

Meanwhile = Callable[[House, SealedTransport], Awaitable[None]]


@pytest.fixture(autouse=True)
def others_are_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody owns is told when its owner has not for a while."""
    monkeypatch.setattr(announce, "OTHERS_AFTER", timedelta(seconds=0.5))
    monkeypatch.setattr(announce, "IDLE_SECONDS", 0.25)


async def asked_and_lost(folder: Path, url: str, meanwhile: Meanwhile) -> tuple[str, int]:
    """Ask for a reply, relay it, do something, lose the keys of what travels, declare that.

    Return which fate the reply has, and how often it was sent since.
    """
    anna = Person("Zhdushchaya")
    async with town(settings_of(folder, url)) as made:
        await made.publish(made.item(anna, "email", "mail"))
        channels = made.channels
        ((conversation,),) = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM conversations"))
    async with closed_shop(folder, url) as (house, transport):
        await house.store.handle(UUID(conversation), c.RequestReply(uuid4(), anna.say("reply")), OLGA)
        end = await house.database.read(head)
        await meanwhile(house, transport)
        await house.store.move_position(POSITION, end)
        with house.keys.database.writing() as tx:
            tx.run("DELETE FROM wire_keys")
    await declare(settings_of(folder, url))
    async with town(settings_of(folder, url), channels) as made:
        async with asyncio.timeout(60):
            while await carry_out(made.stores()) or not await fate(made):  # noqa: ASYNC110 (others work)
                await asyncio.sleep(0.05)
            await until_shown(made)
        ((customer,),) = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM customers"))
        entries = [entry for entry in await made.timeline(UUID(customer)) if entry["direction"] == "outbound"]
        assert [entry["delivery"]["state"] for entry in entries] == [await fate(made)]
        assert (await erase(made, UUID(customer))).state == "done"  # nobody waits for what will never be read
        return await fate(made), len(made.sent)


async def until_shown(made: Town) -> None:
    async def is_shown() -> bool:
        return await made.house.database.read(lambda tx: head(tx) <= live.position(tx))

    while not await is_shown():  # noqa: ASYNC110 (others work)
        await asyncio.sleep(0.05)


async def declare(settings: Settings) -> None:
    house = open_house(settings, keys_may_lack=True)
    try:
        found = await lost_on_the_way.find(house)
        of_log = await asyncio.to_thread(lost.find, house.database, house.keys.pages)
        await lost.declare(house, of_log, found, "the disk died", "o", whole_store=True)
    finally:
        await house.close()


async def fate(made: Town) -> str:
    types = {"ReplySent", "ReplyFailed", "ReplyFateUnknown"}
    return "".join(name for r in await made.log() if (name := type(r.event).__name__) in types).lower()[5:]


async def told(house: House) -> Outgoing:
    """Return what the relay tells outbound of the last event."""
    records = await house.database.read(lambda tx: outbox_of(tx, read_log(tx, head(tx) - 1, 1)))
    return records[topics.OUTBOUND][0]


async def relayed(house: House, transport: SealedTransport) -> None:
    await transport.publisher().publish(topics.OUTBOUND, await told(house))


async def sent_and_told(house: House, transport: SealedTransport) -> None:
    """Outbound has sent it, and what it told the log is on its way."""
    outgoing = await told(house)
    reply = codec.decode(outgoing.value, dict(outgoing.headers))
    assert isinstance(reply, OutboundReply)
    ledger = Ledger(house.database, "o")
    await ledger.accept([reply])
    (claimed,) = await ledger.claim({reply.channel_id: 1})
    await ledger.settle(claimed, Outcome("sent", external_id="<a@okno>"))
    await house.database.write(lambda tx: tx.run("UPDATE deliveries SET announced = 1"))
    await transport.publisher().publish(topics.DELIVERY, outgoing)  # whatever it said


async def lost_with_what_it_says(house: House, transport: SealedTransport) -> None:
    await relayed(house, transport)
    with house.keys.database.writing() as tx:
        tx.run("DELETE FROM key_pages")


@pytest.mark.parametrize(
    ("meanwhile", "ends"),
    [(relayed, ("sent", 1)), (sent_and_told, ("sent", 0)), (lost_with_what_it_says, ("failed", 0))],
)
async def test_a_reply_ends_in_a_known_fate_and_leaves_once(
    url: str, tmp_path: Path, meanwhile: Meanwhile, ends: tuple[str, int]
) -> None:
    assert await asked_and_lost(tmp_path / "data", url, meanwhile) == ends


@pytest.mark.parametrize("outbound_was_first", [False, True])
async def test_a_reply_whose_text_is_lost_is_not_both_failed_and_sent(
    url: str, tmp_path: Path, outbound_was_first: bool
) -> None:
    folder, anna = tmp_path / "data", Person("Otstavshaya")
    async with town(settings_of(folder, url)) as made:
        await made.publish(made.item(anna, "email", "mail"))
        ((conversation,),) = await made.house.database.read(lambda tx: tx.rows("SELECT id FROM conversations"))
    async with closed_shop(folder, url) as (house, transport):
        await house.store.handle(UUID(conversation), c.RequestReply(uuid4(), anna.say("reply")), OLGA)
        outgoing = await told(house)
        await lost_with_what_it_says(house, transport)
    await declare(settings_of(folder, url))
    reply = codec.decode(outgoing.value, dict(outgoing.headers))
    assert isinstance(reply, OutboundReply)
    async with closed_shop(folder, url) as (house, transport):
        ledger = Ledger(house.database, "o")
        order = [ledger.accept([reply]), tell(house.database, transport.publisher())]
        for step in order if outbound_was_first else reversed(order):
            await step
        sent = [each.reply.id for each in await ledger.claim({reply.channel_id: 1})]
        failed = [each.reply_id for each in await ledger.unannounced(10, settled_before=now())]
        assert (sent, failed) == (([reply.id], []) if outbound_was_first else ([], [reply.id]))
        assert await transport.ends(topics.DELIVERY) == {}


async def test_an_item_that_was_to_be_read_again_is_told_again_until_it_has_been(url: str, tmp_path: Path) -> None:
    async with closed_shop(tmp_path / "data", url) as (house, transport):
        items = [unreadable(b"a", "1"), unreadable(b"b", "2"), unreadable(b"c", "3")]
        await house.store.record(lambda session, tx: receive(session, tx, items))
        for item in items[:2]:
            await house.store.handle_quarantine(item.id, c.RetryQuarantined(), OLGA)
        await house.store.record(lambda session, tx: receive(session, tx, items[:1]))  # it is still not understood
        assert await tell(house.database, transport.publisher()) == 1
        async with transport.consumer(topics.RETRIES, "ingest") as consumer:
            records = await consumer.batch(10, 10.0)
        requests = [codec.decode(record.value, record.headers) for record in records]
        assert [each.item.id for each in requests if isinstance(each, RetryUnreadable)] == [items[1].id]
