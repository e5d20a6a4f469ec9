"""Items that tell of something that is there already: bounces, edits, deletions, reactions, blocks, renamed threads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.projector import inbound as intake
from shared.contracts.inbound import (
    About,
    Address,
    Deleted,
    DeliveryNotice,
    Edited,
    InboundMessage,
    ReachChanged,
    Reacted,
    ThreadRenamed,
    inbound_id,
)
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.raw_items import raw_at, raw_item
from shared.event_store.routing import conversation_of
from shared.event_store.store import EventStore
from shared.read_models import timeline
from tests.event_store.index import derived, standing
from tests.examples import AT, MAILBOX, OLGA, inbound
from tests.services.projector.running import events, listed, shown, take
from tests.stores import create_all_tables


@pytest_asyncio.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    database = open_database(sqlite_url)
    yield database
    assert await database.read(standing) == await database.read(derived)
    await database.close()


@pytest_asyncio.fixture
async def store(database: Database) -> EventStore:
    return create_all_tables(database)


def chat(text: str, number: str, after: int = 0, **other: Any) -> InboundMessage:
    """A message of a chat: its ids mean something on their channel only."""
    at = AT + timedelta(seconds=after)
    return inbound(text, external_id=number, known_as=(), thread_key="chat", subject="", occurred_at=at, **other)


def told(text: str = "", after: int = 0, **about: Any) -> InboundMessage:
    return chat(text, f"update {uuid4()}", after, about=About(**about))


async def replied(store: EventStore, conversation_id: UUID, external_id: str = "<ours@okno>") -> UUID:
    reply_id = uuid4()
    await store.handle(conversation_id, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)
    report = c.RecordDelivery(reply_id, MAILBOX, 1, "sent", 1, external_id)
    await store.handle(conversation_id, report, e.Actor("system"))
    return reply_id


def bounce(*external_ids: str, state: str = "bounced", nature: str = "bounce") -> InboundMessage:
    notice = DeliveryNotice(external_ids, state, "anna@example.com", "5.1.1", "no such user", "user_unknown", True)  # type: ignore[arg-type]
    return inbound("Undelivered", "mailer-daemon@x", nature=nature, about=About(delivery=notice))


# --- what we have said ourselves --------------------------------------------------------------------------


def echo(external_id: str, *known_as: str) -> InboundMessage:
    """Our own message as the channel gives it back."""
    return inbound("Hi", external_id=external_id, nature="loop", direction="outbound", known_as=known_as)


@pytest.mark.parametrize("ids", [("<ours@okno>",), ("<new@server>", "<ours@okno>")])
async def test_our_own_reply_that_comes_back_stands_nowhere_again(
    database: Database, store: EventStore, ids: tuple[str, ...]
) -> None:
    *_, message = await take(store, inbound())
    id_ = message.conversation_id  # type: ignore[union-attr]
    await replied(store, id_)
    item = echo(*ids)
    handled = await store.record(lambda session, tx: intake.receive(session, tx, [item, item]), {"inbound/0": 1})
    assert [type(happening.event) for happening in handled.happenings] == [e.EchoReceived]
    assert await database.read(partial(conversation_of, id_=item.id)) == id_
    assert len(await shown(database, id_)) == 2


@pytest.mark.parametrize("text", ["Цена: 1500 ₽", "Добрый день!", "добрый  день"])
async def test_our_reply_that_comes_back_before_we_hear_that_it_was_sent_stands_nowhere_again(
    database: Database, store: EventStore, text: str
) -> None:
    *_, message = await take(store, inbound(thread_key="7/b1"))
    id_ = message.conversation_id  # type: ignore[union-attr]
    reply_id = uuid4()
    await store.handle(
        id_, c.RequestReply(reply_id, "**Добрый день!** Цена: 1500 ₽", markup="markdown"), OLGA, reply_id
    )
    item = inbound(text, external_id="7:16", nature="loop", direction="outbound", thread_key="7/b1")
    assert [type(event) for event in await take(store, item)] == [e.EchoReceived]
    await store.handle(id_, c.RecordDelivery(reply_id, MAILBOX, 1, "sent", 1, "7:16"), e.Actor("system"))
    assert [entry["id"] for entry in await shown(database, id_)][1:] == [str(reply_id)]


async def test_what_the_business_wrote_by_itself_meanwhile_is_a_message(store: EventStore) -> None:
    *_, message = await take(store, inbound(thread_key="7/b1"))
    reply_id = uuid4()
    await store.handle(message.conversation_id, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)  # type: ignore[union-attr]
    item = inbound("Перезвоню", external_id="7:16", nature="loop", direction="outbound", thread_key="7/b1")
    assert [type(event) for event in await take(store, item)] == [e.MessageReceived]


async def test_a_reply_whose_fate_was_unknown_and_that_comes_back_was_sent(
    database: Database, store: EventStore
) -> None:
    *_, message = await take(store, inbound(thread_key="7/b1"))
    id_ = message.conversation_id  # type: ignore[union-attr]
    reply_id = uuid4()
    await store.handle(id_, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)
    await store.handle(id_, c.RecordDelivery(reply_id, MAILBOX, 1, "unknown", 1), e.Actor("system"))
    item = inbound("Hi", external_id="7:16", nature="loop", direction="outbound", thread_key="7/b1")
    assert [type(event) for event in await take(store, item)] == [e.EchoReceived, e.ReplySent]
    _, reply = await shown(database, id_)
    assert (reply["delivery"]["state"], reply["external_id"]) == ("sent", "7:16")


async def test_our_own_message_that_we_know_nothing_of_is_kept(database: Database, store: EventStore) -> None:
    """What the business wrote from its own telephone, or another Okno sent."""
    *_, message = await take(store, inbound(), echo("<stranger@okno>"))
    assert isinstance(message, e.MessageReceived)
    assert message.nature == "loop"


async def test_a_client_who_quotes_the_id_of_our_reply_is_heard(store: EventStore) -> None:
    *_, message = await take(store, inbound())
    await replied(store, message.conversation_id)  # type: ignore[union-attr]
    assert len(await take(store, inbound(refers_to=("<ours@okno>",)))) == 1


# --- delivery ---------------------------------------------------------------------------------------------


async def test_a_bounce_stands_in_the_conversation_of_the_reply_and_changes_its_delivery(
    database: Database, store: EventStore
) -> None:
    *_, message = await take(store, inbound())
    id_ = message.conversation_id  # type: ignore[union-attr]
    reply_id = await replied(store, id_)
    await store.handle(id_, c.Close(), OLGA)
    happened = await take(store, bounce("<ours@okno>"))
    assert [type(event).__name__ for event in happened] == ["MessageReceived", "ReplyBounced", "ConversationReopened"]
    _, reply, notice = await shown(database, id_)
    assert reply["id"] == str(reply_id)
    assert {key: reply["delivery"][key] for key in ("state", "error", "notices")} == {
        "state": "bounced",
        "error": "no such user",
        "notices": [
            {"state": "bounced", "recipient": "anna@example.com", "code": "5.1.1", "error": "no such user",
             "reason": "user_unknown", "hard": True, "at": reply["delivery"]["changed_at"]}
        ],
    }  # fmt: skip
    assert (notice["text"], notice["nature"]) == ("Undelivered", "bounce")
    found = await listed(database, id_)
    assert (found["status"], found["unanswered"], found["reply_to"]) == ("open", True, ["anna@example.com"])


@pytest.mark.parametrize(
    ("said", "state"),
    [("delivered", "delivered"), ("read", "delivered"), ("delayed", "sent"), ("complained", "sent")],
)
async def test_other_notices_stand_in_the_details_of_the_delivery(
    database: Database, store: EventStore, said: str, state: str
) -> None:
    *_, message = await take(store, inbound())
    id_ = message.conversation_id  # type: ignore[union-attr]
    await replied(store, id_)
    await take(store, bounce("<ours@okno>", state=said, nature="receipt"))
    delivery = (await shown(database, id_))[1]["delivery"]
    assert (delivery["state"], [notice["state"] for notice in delivery["notices"]]) == (state, [said])
    assert not (await listed(database, id_))["unanswered"]


async def test_a_bounce_tells_the_fate_of_a_reply_whose_answer_was_lost(database: Database, store: EventStore) -> None:
    """A Message-ID is made from the reply's id."""
    *_, message = await take(store, inbound())
    id_, reply_id = message.conversation_id, uuid4()  # type: ignore[union-attr]
    await store.handle(id_, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)
    report = c.RecordDelivery(reply_id, MAILBOX, 1, "unknown", 1, error="connection lost")
    await store.handle(id_, report, e.Actor("system"))
    await take(store, bounce(f"<okno.{reply_id}@example.com>"))
    assert (await shown(database, id_))[1]["delivery"]["state"] == "bounced"


async def test_a_bounce_of_something_unknown_is_a_message_that_does_not_wait(
    database: Database, store: EventStore
) -> None:
    _, opened, _ = await take(store, bounce("<nobody@x>", f"<okno.{uuid4()}@x>"))
    found = await listed(database, opened.conversation_id)  # type: ignore[union-attr]
    assert (found["customer"]["address"], found["unanswered"]) == ("mailer-daemon@x", False)


async def test_one_bounce_of_two_replies_changes_both(database: Database, store: EventStore) -> None:
    found = []
    for number in range(2):
        *_, message = await take(store, inbound())
        await replied(store, message.conversation_id, f"<ours{number}@okno>")  # type: ignore[union-attr]
        found.append(message.conversation_id)  # type: ignore[union-attr]
    both = bounce("<ours0@okno>", "<ours1@okno>", "<ours0@okno>")
    await take(store, both)
    assert await take(store, both) == []
    assert [(await shown(database, id_))[1]["delivery"]["state"] for id_ in found] == ["bounced"] * 2


# --- edits, deletions, reactions --------------------------------------------------------------------------


async def test_edits_in_any_order_end_the_same(tmp_path: Path) -> None:
    items = [
        chat("first", "7"),
        told("second", 1, edited=Edited("7")),
        told("third", 2, edited=Edited("7")),
        told("", 3, reacted=Reacted("7", ("👍",))),
    ]
    ends = []
    for number, order in enumerate(permutations(items)):
        database = open_database(f"sqlite:///{tmp_path / str(number)}.db")
        store = create_all_tables(database)
        if number % 2:
            await take(store, *order)
        else:
            for each in order:
                await take(store, each)
        (conversation_id,) = {r.event.conversation_id for r in await events(database) if hasattr(r.event, "message_id")}
        (message,) = await shown(database, conversation_id)
        found = await listed(database, conversation_id)
        versions = [version["text"] for version in message["versions"]]
        ends.append((message["id"], message["text"], versions, message["reactions"][0]["reactions"], message["kind"]))
        ends[-1] += (found["messages_count"], found["reply_to"], message["attachments"])
        assert await database.read(standing) == await database.read(derived)
        await database.close()
    assert set(map(repr, ends)) == {
        repr((str(inbound_id(MAILBOX, "7")), "third", ["first", "second"], ["👍"], "text", 1, ["anna@example.com"], []))
    }


async def test_a_deleted_message_is_shown_as_deleted_and_kept_in_the_log(database: Database, store: EventStore) -> None:
    *_, message = await take(store, chat("oops", "7"), chat("hm", "8"))
    await take(store, told(after=5, deleted=Deleted(("7", "8", "9"))))
    id_ = message.conversation_id  # type: ignore[union-attr]
    assert [(m["text"], m["deleted_at"] is not None) for m in await shown(database, id_)] == [("", True)] * 2
    texts = [r.event.text for r in await events(database) if isinstance(r.event, e.MessageReceived)]
    assert texts == ["oops", "hm"]
    page = timeline.Page(100)
    of_customer = partial(timeline.of_customer, customer_id=message.customer_id, page=page)  # type: ignore[union-attr]
    assert [entry["kind"] for entry in await database.read(of_customer)] == ["text", "text", "deleted"]


async def test_a_reaction_to_our_reply_ends_the_waiting_and_is_shown(database: Database, store: EventStore) -> None:
    *_, message = await take(store, chat("hello", "7"))
    id_ = message.conversation_id  # type: ignore[union-attr]
    await replied(store, id_, "8")
    await take(store, chat("thanks", "9", 1))
    assert (await listed(database, id_))["unanswered"]
    await take(store, told(after=2, reacted=Reacted("8", ("👍", "🔥"))))
    assert not (await listed(database, id_))["unanswered"]
    assert (await shown(database, id_))[1]["reactions"][0]["reactions"] == ["👍", "🔥"]
    await take(store, told(after=3, reacted=Reacted("8", ())))
    assert (await shown(database, id_))[1]["reactions"] == []


async def test_a_number_of_another_chat_channel_is_not_meant(store: EventStore) -> None:
    *_, message = await take(store, chat("hello", "7"))
    *_, edited = await take(
        store,
        told(
            "x",
            edited=Edited("7"),
        ),
    )
    other = chat("x", "update", channel_id=UUID(int=0xB0), about=About(edited=Edited("7")))
    *_, elsewhere = await take(store, other)
    assert edited.conversation_id == message.conversation_id  # type: ignore[union-attr]
    assert elsewhere.conversation_id != message.conversation_id  # type: ignore[union-attr]


async def test_what_is_told_keeps_its_raw_bytes_and_is_told_once(database: Database, store: EventStore) -> None:
    await take(store, chat("hello", "7"))
    item = told("x", edited=Edited("7"))
    await take(store, item, item)
    assert await take(store, item) == []
    last = (await events(database))[-1]
    assert await database.read(lambda tx: raw_item(tx, last.position)) == b"x"
    kept = await database.read(lambda tx: raw_at(tx, last.position))
    assert kept == e.Raw(item.raw.sha256, item.raw.size, item.raw.media_type)


# --- clients and threads ----------------------------------------------------------------------------------


async def test_a_block_says_why_no_answer_is_possible(database: Database, store: EventStore) -> None:
    *_, message = await take(store, chat("hello", "7"))
    id_ = message.conversation_id  # type: ignore[union-attr]
    await take(store, told(reach=ReachChanged(False, "blocked the bot")))
    assert (await listed(database, id_))["cannot_reply"] == "blocked the bot"
    await take(store, told(reach=ReachChanged(True)))
    assert (await listed(database, id_))["cannot_reply"] is None


async def test_a_block_by_a_stranger_bothers_nobody_and_their_message_comes_to_the_same_place(
    database: Database, store: EventStore
) -> None:
    _, opened, *_ = await take(store, told(reach=ReachChanged(False, "blocked the bot")))
    id_ = opened.conversation_id  # type: ignore[union-attr]
    assert (await listed(database, id_))["status"] == "closed"
    *_, message = await take(store, chat("hello", "7"))
    assert message.conversation_id == id_  # type: ignore[union-attr]
    assert (await listed(database, id_))["cannot_reply"] is None


async def test_a_renamed_thread_goes_on_in_its_conversation(store: EventStore) -> None:
    *_, message = await take(store, chat("hello", "7"))
    migrated = inbound("", external_id="m", known_as=(), thread_key="-100", about=About(renamed=ThreadRenamed("chat")))
    await take(store, migrated)
    *_, after = await take(store, inbound("again", external_id="8", known_as=(), thread_key="-100"))
    assert after.conversation_id == message.conversation_id  # type: ignore[union-attr]


def group(text: str, number: str, chat_id: str, **other: Any) -> InboundMessage:
    said = inbound(text, **{"external_id": number, "known_as": (), "thread_key": chat_id, **other})
    return replace(said, sender=Address("telegram", chat_id, "Shop"))


MOVED = group(
    "",
    "moved",
    "-7",
    thread_key="-1007",
    vouched=(Address("telegram", "-1007"),),
    about=About(renamed=ThreadRenamed("-7")),
)


async def test_what_a_renamed_group_is_called_now_is_its_own_address(database: Database, store: EventStore) -> None:
    *_, message = await take(store, group("hello", "1", "-7"))
    happened = await take(store, MOVED)
    assert [type(event).__name__ for event in happened] == ["ThreadRenamed", "IdentityLinked"]
    *_, topic = await take(store, group("in a new topic", "2", "-1007", thread_key="-1007;topic=5"))
    assert topic.customer_id == message.customer_id  # type: ignore[union-attr]
    assert await take(store, MOVED) == []


async def test_a_renamed_group_that_was_heard_under_its_new_address_first_is_suggested_as_one(
    store: EventStore,
) -> None:
    await take(store, group("hello", "1", "-7"))
    await take(store, group("from the supergroup", "2", "-1007"))
    *_, suggested = await take(store, MOVED)
    assert isinstance(suggested, e.MergeSuggested)
    assert [(r.evidence, r.address, r.message_id) for r in suggested.reasons] == [("vouched", "-1007", None)]


async def test_a_group_nobody_knew_is_registered_with_both_its_addresses(store: EventStore) -> None:
    happened = await take(store, MOVED)
    assert {"CustomerRegistered", "IdentityLinked"} <= {type(event).__name__ for event in happened}
