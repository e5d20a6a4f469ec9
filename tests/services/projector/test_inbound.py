"""Inbound messages onto timelines: whose it is, which conversation it joins, exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.projector import inbound as intake
from shared.clock import to_text
from shared.contracts.inbound import About, Address, DeliveryNotice, FileRef, InboundMessage, inbound_id
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.raw_items import raw_item
from shared.event_store.store import EventStore
from shared.read_models import customers, timeline
from tests.event_store.index import derived, standing
from tests.examples import AT, FORM, MAILBOX, OLGA, call_report, inbound, raw, unreadable
from tests.read_models.contents import show
from tests.services.projector.running import events, messages, names, take
from tests.stores import create_all_tables

NEW = ["CustomerRegistered", "ConversationOpened", "MessageReceived"]


@pytest_asyncio.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    """The rules know no database; what does is tried on both in tests/event_store."""
    database = open_database(sqlite_url)
    yield database
    assert await database.read(standing) == await database.read(derived)
    await database.close()


@pytest_asyncio.fixture
async def store(database: Database) -> EventStore:
    return create_all_tables(database)


async def test_a_message_from_a_new_address_makes_a_customer_and_a_conversation(
    database: Database, store: EventStore
) -> None:
    told: Any = (("<nobody@x>",), "bounced", "a@b", "5.1.1", "no such user", "user_unknown", True)
    item = inbound(
        "Привет",
        recipients=("support@example.com",),
        full_text="Привет\n> раньше",
        html="<p>Привет</p>",
        reply_to=Address("email", "other@example.com", "Other"),
        reply_channel=FORM,
        cannot_reply="",
        refers_to=("<unknown@x>",),
        known_as=("<gateway@x>",),
        thread_key="chat",
        fields=(("Имя", "Анна"),),
        files=(FileRef("cd" * 32, 5, "a.pdf", "application/pdf", "cid"),),
        identities=(Address("phone", "+49151"),),
        nature="bounce",
        warnings=("two_senders",),
        proves=("<proof@x>",),
        topic="question",
        about=About(delivery=DeliveryNotice(*told)),
    )
    registered, opened, message = await take(store, item)
    assert isinstance(message, e.MessageReceived)
    ids = (message.conversation_id, message.customer_id)
    anna = e.Address("email", "anna@example.com", "Anna")
    reason = "first message of a thread"
    assert registered == e.CustomerRegistered(message.customer_id, "Anna", anna)
    assert opened == e.ConversationOpened(*ids, MAILBOX, "email", "Question", reason)
    assert message == e.MessageReceived(
        *ids, item.id, MAILBOX, "email", item.external_id, "text", "inbound", anna,
        e.Raw(item.raw.sha256, item.raw.size, "message/rfc822"), reason, "Question", "Привет", "Привет\n> раньше",
        "<p>Привет</p>", ("support@example.com",), e.Address("email", "other@example.com", "Other"), FORM, "",
        ("<unknown@x>",), (item.external_id, "<gateway@x>"), "chat", (("Имя", "Анна"),), None,
        (e.File("cd" * 32, 5, "a.pdf", "application/pdf", "cid"),), (e.Address("phone", "+49151"),),
        "bounce", ("two_senders",), e.DeliveryNotice(*told),
        False, 0, ("<proof@x>",), "question",
    )  # fmt: skip
    last = (await events(database))[-1]
    assert (last.cause, last.occurred_at) == (item.id, AT)
    assert last.actor == e.Actor("customer", "email:anna@example.com", "Anna")
    assert await database.read(lambda tx: raw_item(tx, last.position)) == "Привет".encode()


async def test_the_same_customer_writing_anew_opens_a_second_conversation(store: EventStore) -> None:
    first, second = await take(store, inbound()), await take(store, inbound())
    assert [type(event).__name__ for event in second] == NEW[1:]
    assert second[0].customer_id == first[0].customer_id  # type: ignore[union-attr]
    assert second[0].conversation_id != first[1].conversation_id  # type: ignore[union-attr]


async def test_addresses_of_different_kinds_are_different_customers(store: EventStore) -> None:
    item = inbound(sender="42")
    *_, first = await take(store, item)
    *_, second = await take(store, replace(inbound(), sender=Address("phone", "42")))
    assert first.customer_id != second.customer_id  # type: ignore[union-attr]


async def test_an_answer_joins_by_the_nearest_message_it_refers_to(store: EventStore) -> None:
    old, near = inbound(), inbound(known_as=("<gateway@x>",))
    await take(store, old, near)
    (answer,) = await take(store, inbound(refers_to=("<unknown@x>", "<gateway@x>", old.external_id)))
    (again,) = await take(store, inbound(refers_to=(old.external_id,)))
    assert isinstance(answer, e.MessageReceived)
    assert isinstance(again, e.MessageReceived)
    assert (answer.joined_because, again.joined_because) == ("answers <gateway@x>", f"answers {old.external_id}")
    assert answer.conversation_id != again.conversation_id


async def test_an_answer_in_the_same_batch_joins_too(store: EventStore) -> None:
    first = inbound()
    happened = await take(store, first, inbound(refers_to=(first.external_id,)))
    assert [type(event).__name__ for event in happened] == [*NEW, "MessageReceived"]
    assert len({event.conversation_id for event in happened[1:]}) == 1  # type: ignore[union-attr]


async def test_an_answer_to_our_reply_joins_the_conversation(store: EventStore) -> None:
    *_, message = await take(store, inbound())
    assert isinstance(message, e.MessageReceived)
    reply_id = uuid4()
    await store.handle(message.conversation_id, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)
    report = c.RecordDelivery(reply_id, MAILBOX, 1, "sent", 1, "<ours@okno>", ("<rewritten@gateway>",))
    await store.handle(message.conversation_id, report, e.Actor("system"))
    for reference in ("<ours@okno>", "<rewritten@gateway>"):
        (answer,) = await take(store, inbound(refers_to=(reference,)))
        assert answer.conversation_id == message.conversation_id  # type: ignore[union-attr]


async def test_a_message_to_a_closed_conversation_reopens_it(store: EventStore) -> None:
    first = inbound()
    *_, message = await take(store, first)
    await store.handle(message.conversation_id, c.Close(), OLGA)  # type: ignore[union-attr]
    happened = await take(store, inbound(refers_to=(first.external_id,)))
    assert [type(event).__name__ for event in happened] == ["ConversationReopened", "MessageReceived"]


async def test_a_stranger_quoting_a_message_id_opens_a_marked_conversation_of_their_own(store: EventStore) -> None:
    first = inbound()
    *_, message = await take(store, first)
    registered, opened, stranger = await take(
        store, inbound("me too", "eve@example.com", "Eve", refers_to=(first.external_id,))
    )
    assert isinstance(opened, e.ConversationOpened)
    assert opened.reason == "quotes a message of another customer"
    assert opened.customer_id == registered.customer_id  # type: ignore[union-attr]
    assert stranger.conversation_id != message.conversation_id  # type: ignore[union-attr]


async def test_a_thread_of_the_provider_is_one_conversation(store: EventStore) -> None:
    (*_, first), (second,) = await take(store, inbound(thread_key="7")), await take(store, inbound(thread_key="7"))
    (*_, elsewhere) = await take(store, inbound(thread_key="7", channel_id=FORM))
    assert second.conversation_id == first.conversation_id  # type: ignore[union-attr]
    assert second.joined_because == "same thread"  # type: ignore[union-attr]
    assert elsewhere.conversation_id != first.conversation_id  # type: ignore[union-attr]


async def test_a_duplicate_changes_nothing(database: Database, store: EventStore) -> None:
    item = inbound()
    await take(store, item, item)
    assert await take(store, item) == []
    assert await take(store, inbound(id=item.id, text="changed")) == []
    assert await names(database) == NEW


# --- further addresses ------------------------------------------------------------------------------------


async def test_an_address_the_channel_vouches_for_becomes_the_senders_own(
    database: Database, store: EventStore
) -> None:
    phone = Address("phone", "+4915112345678", "Anna")
    happened = await take(store, inbound(vouched=(phone, phone)))
    assert [type(event).__name__ for event in happened] == ["CustomerRegistered", "IdentityLinked", *NEW[1:]]
    message, call = happened[-1], (await take(store, call_report("ringing")))[-1]
    assert call.customer_id == message.customer_id  # type: ignore[union-attr]
    (again,) = [e_ for e_ in await take(store, inbound(vouched=(phone,))) if isinstance(e_, e.MessageReceived)]
    assert again.claimed == ()
    await show(database)
    shown = await database.read(partial(customers.customer, customer_id=again.customer_id))
    assert shown is not None
    assert [identity["address"] for identity in shown["identities"]] == ["anna@example.com", "+4915112345678"]


async def test_an_address_that_somebody_else_has_stays_claimed(store: EventStore) -> None:
    *_, call = await take(store, call_report("ringing"))
    phone = Address("phone", "+4915112345678")
    *_, message, suggested = await take(store, inbound(vouched=(phone, Address("phone", "x" * 3000)), identities=()))
    assert isinstance(message, e.MessageReceived)
    assert isinstance(suggested, e.MergeSuggested)
    assert [reason.evidence for reason in suggested.reasons] == ["vouched"]
    assert message.customer_id != call.customer_id  # type: ignore[union-attr]
    assert [address.address[:5] for address in message.claimed] == ["+4915", "xxxxx"]


# --- calls ------------------------------------------------------------------------------------------------


async def test_reports_of_one_call_are_one_message(database: Database, store: EventStore) -> None:
    ringing, answered = call_report("ringing"), call_report("answered", answered_by="Olga")
    finished = call_report("finished", talking_seconds=60)
    await take(store, ringing, answered)
    assert await take(store, ringing) == []
    (progressed,) = await take(store, finished)
    assert await names(database) == [*NEW, "CallProgressed", "CallProgressed"]
    assert isinstance(progressed, e.CallProgressed)
    assert progressed.call == e.Call("finished", "inbound", "+4915112345678", "+4930123", "Olga", None, 60)


async def test_a_call_is_shown_as_of_its_beginning_whichever_report_came_first(
    database: Database, store: EventStore
) -> None:
    """The rules of the call itself are tried in every order in tests/channels/telephony."""
    told: list[tuple[str, dict[str, Any]]] = [("ringing", {"started_at": AT}), ("answered", {}), ("finished", {})]
    for number, order in enumerate(permutations(range(3))):
        reports = [call_report(told[n][0], f"call-{number}", **told[n][1]) for n in order]
        at = [AT + timedelta(minutes=n) for n in order]
        await take(store, *(replace(each, occurred_at=when) for each, when in zip(reports, at, strict=True)))
    await show(database)
    customer_id = next(iter((await messages(database)).values())).customer_id
    shown = await database.read(partial(timeline.of_customer, customer_id=customer_id, page=timeline.Page(100)))
    assert {(entry["call"]["state"], entry["occurred_at"]) for entry in shown if entry["kind"] == "call"} == {
        ("finished", to_text(AT))
    }


async def test_a_process_that_never_saw_the_call_continues_it(database: Database, store: EventStore) -> None:
    await take(store, call_report("ringing"))
    progressed, _ = await take(EventStore(database), call_report("missed"))
    assert isinstance(progressed, e.CallProgressed)


async def test_a_call_is_told_of_however_many_came_after_it(database: Database, store: EventStore) -> None:
    """A recording may come late; the line's calls with one client are one conversation."""
    reports = [call_report("missed", f"call-{number}") for number in range(120)]
    reports = [replace(report, thread_key="+49151") for report in reports]
    await take(store, *reports)
    late = replace(call_report("finished", "call-0", recording="ef" * 32), thread_key="+49151")
    await take(store, late)
    assert len(await messages(database)) == 120
    assert (await names(database))[-2:] == ["CallProgressed", "StepDone"]


async def test_the_client_of_a_call_is_its_phone_number(store: EventStore) -> None:
    registered, *_ = await take(store, call_report("ringing"))
    assert registered == e.CustomerRegistered(
        registered.customer_id,
        "",
        e.Address("phone", "+4915112345678"),  # type: ignore[union-attr]
    )


# --- one item under several ids ---------------------------------------------------------------------------


def windows(*numbers: int) -> dict[int, InboundMessage]:
    """The same post in windows of time, each known as those of the two windows before as well."""
    return {
        n: inbound(
            external_id=f"w{n}",
            known_as=(),
            same_as=tuple(inbound_id(MAILBOX, f"w{n - before}") for before in (1, 2)),
            same_later=tuple(inbound_id(MAILBOX, f"w{n + after}") for after in (1, 2)),
        )
        for n in numbers
    }


@pytest.mark.parametrize("order", list(permutations((3, 4, 5))))
async def test_copies_under_ids_that_overlap_are_one_message_in_any_order(
    database: Database, store: EventStore, order: tuple[int, ...]
) -> None:
    copies = windows(3, 4, 5)
    for n in order:
        await take(store, copies[n])
    await take(store, *copies.values())
    assert list(await messages(database)) == [copies[order[0]].id]


async def test_only_where_two_processes_decide_a_post_keeps_the_ids_of_its_copies(
    database: Database, store: EventStore
) -> None:
    await take(store, windows(5)[5])
    rows = await database.read(lambda tx: tx.rows("SELECT id FROM routing_seen"))
    assert len(rows) == (1 if database.dialect == "sqlite" else 3)


async def test_copies_in_one_batch_are_one_message(database: Database, store: EventStore) -> None:
    copies = windows(3, 5, 6)
    await take(store, copies[5], copies[3], copies[6])
    assert list(await messages(database)) == [copies[5].id]
    await take(store, *windows(8, 11).values())
    assert len(await messages(database)) == 3, "out of reach they are new"


@pytest.mark.parametrize(("first", "second"), [(3, 5), (5, 3)])
async def test_copies_at_once_at_two_processes_are_one_message(
    database: Database, store: EventStore, first: int, second: int
) -> None:
    copies = windows(first, second)
    await asyncio.gather(take(store, copies[first]), take(EventStore(database), copies[second]))
    assert len(await messages(database)) == 1


async def test_a_copy_goes_past_one_that_nobody_could_read(database: Database, store: EventStore) -> None:
    copies = windows(4, 5)
    await take(store, unreadable(id=copies[4].id), copies[5])
    assert await names(database) == ["InboundQuarantined", *NEW]
    await take(store, copies[4])
    assert list(await messages(database)) == [copies[5].id]
    assert (await names(database))[-1] == "QuarantineResolved"
    assert len(await names(database)) == 5


# --- quarantine -------------------------------------------------------------------------------------------


async def test_an_unreadable_item_is_quarantined_once_with_its_raw_bytes(database: Database, store: EventStore) -> None:
    item = unreadable(b"\xff?")
    await take(store, item, item)
    await take(store, item)
    (recorded,) = await events(database)
    kept = e.Raw(item.raw.sha256, 2, "message/rfc822")
    quarantined = e.InboundQuarantined(item.id, MAILBOX, "email", "7.1", "no headers", kept, (("folder", "INBOX"),))
    assert (recorded.event, recorded.stream_id, recorded.cause) == (quarantined, item.id, item.id)
    assert await database.read(lambda tx: raw_item(tx, recorded.position)) == b"\xff?"


async def test_the_same_unreadable_item_twice_in_a_batch_needs_one_attempt(
    database: Database, store: EventStore
) -> None:
    attempts = []

    def decide(session: object, tx: object) -> None:
        attempts.append(1)
        intake.receive(session, tx, [unreadable(), unreadable()])  # type: ignore[arg-type]

    await store.record(decide)
    assert (len(attempts), await names(database)) == (1, ["InboundQuarantined"])


async def test_a_retried_item_that_is_understood_is_resolved_and_stands_on_a_timeline(
    database: Database, store: EventStore
) -> None:
    item = unreadable()
    await take(store, item)
    await store.handle_quarantine(item.id, c.RetryQuarantined(), OLGA)
    happened = await take(store, inbound(id=item.id))
    assert [type(event).__name__ for event in happened] == [*NEW, "QuarantineResolved"]
    assert await take(store, inbound(id=item.id)) == []
    assert await take(store, item) == []
    assert list(await messages(database)) == [item.id]


async def test_a_retried_item_that_is_still_unreadable_waits_again_with_the_new_reason(
    database: Database, store: EventStore
) -> None:
    item = unreadable()
    await take(store, item)
    await store.handle_quarantine(item.id, c.RetryQuarantined(), OLGA)
    (again,) = await take(store, unreadable(reason="still no headers"))
    assert isinstance(again, e.InboundQuarantined)
    assert again.reason == "still no headers"
    assert await take(store, item) == []
    await store.handle_quarantine(item.id, c.RetryQuarantined(), OLGA)
    assert await names(database) == ["InboundQuarantined", "QuarantineRetried"] * 2


async def test_an_item_first_unreadable_then_understood_in_one_batch_is_resolved(
    database: Database, store: EventStore
) -> None:
    item = unreadable()
    await take(store, item, inbound(id=item.id))
    assert "QuarantineResolved" in await names(database)
    assert list(await messages(database)) == [item.id]


async def test_large_raw_bytes_are_left_to_the_blobs(database: Database, store: EventStore) -> None:
    large = replace(raw(b"large"), data=None)
    await take(store, inbound(raw=large))
    assert await database.read(lambda tx: raw_item(tx, 3)) is None


async def test_the_raw_bytes_of_what_nobody_needs_to_look_at_are_kept_with_it(
    database: Database, store: EventStore
) -> None:
    """Spam closes its conversation at once, so its own event is not the last."""
    await take(store, inbound("Hi"), inbound("Buy", "spam@example.com", nature="spam"), inbound("Bye"))
    kept = {r.position: r.event.raw.size for r in await events(database) if isinstance(r.event, e.MessageReceived)}
    assert len(kept) == 3
    for position, size in kept.items():
        assert len(await database.read(partial(raw_item, position=position)) or b"") == size
