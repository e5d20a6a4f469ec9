"""Which conversation: references, proofs, subjects, groups; moving by hand; today's rules over history."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.projector import inbound as intake
from services.projector.rethread import Rethreading
from shared.contracts.codec import Contract
from shared.contracts.inbound import Address
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain import events as e
from shared.domain.errors import Refused
from shared.event_store.moving import move
from shared.event_store.store import EventStore
from shared.read_models import timeline
from tests.event_store.index import derived, standing
from tests.examples import AT, FORM, OLGA, about, inbound
from tests.read_models.contents import show
from tests.services.projector.running import events, listed
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


async def take(store: EventStore, *contracts: Contract) -> list[e.MessageReceived]:
    handled = await store.record(lambda session, tx: intake.receive(session, tx, contracts))
    return [h.event for h in handled.happenings if isinstance(h.event, e.MessageReceived)]


async def test_the_reason_and_its_score_are_kept(store: EventStore) -> None:
    (first,) = await take(store, inbound())
    (answer,) = await take(store, inbound(refers_to=(first.external_id,)))
    assert (answer.joined_because, answer.joined_score) == (f"answers {first.external_id}", 80)


async def test_a_proof_lets_a_stranger_into_the_conversation_under_their_own_name(store: EventStore) -> None:
    (first,) = await take(store, inbound())
    proof = (first.external_id,)
    (by_id,) = await take(store, inbound(sender="ben@example.com", name="Ben", refers_to=proof, proves=proof))
    (by_address,) = await take(store, inbound(sender="x@y", proves=(f"conversation:{first.conversation_id}",)))
    for message in (by_id, by_address):
        assert (message.conversation_id, message.customer_id) == (first.conversation_id, first.customer_id)
        assert message.warnings == ()
    assert by_id.sender == e.Address("email", "ben@example.com", "Ben")


@pytest.mark.parametrize("proof", ["conversation:nonsense", f"conversation:{UUID(int=404)}", "<nobody@x>"])
async def test_a_proof_of_nothing_proves_nothing(store: EventStore, proof: str) -> None:
    (message,) = await take(store, inbound(proves=(proof,)))
    assert message.joined_because == "first message of a thread"


async def test_a_stranger_who_quotes_an_id_is_marked(store: EventStore) -> None:
    (first,) = await take(store, inbound())
    (stranger,) = await take(store, inbound(sender="eve@x", refers_to=(first.external_id,), warnings=("dmarc_failed",)))
    assert stranger.conversation_id != first.conversation_id
    assert stranger.warnings == ("dmarc_failed", "quotes_a_stranger")


async def test_a_colleague_in_copy_answers_in_the_same_conversation(store: EventStore) -> None:
    (first,) = await take(store, inbound(recipients=("support@okno.example", "boss@example.com")))
    (answer,) = await take(store, inbound(sender="boss@example.com", refers_to=(first.external_id,)))
    assert (answer.conversation_id, answer.customer_id) == (first.conversation_id, first.customer_id)
    (alone,) = await take(store, inbound(sender="boss@example.com"))
    assert alone.customer_id != first.customer_id


@pytest.mark.parametrize(
    ("days", "other", "joins"),
    [
        (13, {}, True),
        (15, {}, False),
        (1, {"sender": "ben@example.com"}, False),
        (1, {"topic": "other"}, False),
        (1, {"channel_id": FORM}, False),
    ],
)
async def test_the_same_sender_and_subject_go_on_within_two_weeks(
    store: EventStore, days: int, other: dict[str, Any], joins: bool
) -> None:
    (first,) = await take(store, inbound(topic="order 7"))
    later = inbound(**{"topic": "order 7", "occurred_at": AT + timedelta(days=days)} | other)
    (second,) = await take(store, later)
    assert (second.conversation_id == first.conversation_id) == joins
    assert second.joined_because == ("same sender and subject" if joins else "first message of a thread")


async def test_visitors_of_one_sites_form_have_a_conversation_each(store: EventStore) -> None:
    form = {"sender": "site@example.com", "topic": "request from the site"}
    peter, olga = Address("email", "peter@example.com", "Peter"), Address("email", "olga@example.com", "Olga")
    said = [inbound(**form, reply_to=who) for who in (peter, olga, peter)]
    first, other, again = [(await take(store, each))[0] for each in said]
    assert other.conversation_id != first.conversation_id == again.conversation_id


async def test_an_address_for_answers_that_is_new_each_time_keeps_nobody_from_their_conversation(
    store: EventStore,
) -> None:
    said = [
        inbound(sender="help@bank.example", topic="ticket 7", reply_to=Address("email", f"help+{tag}@{where}", ""))
        for tag, where in (
            ("a1", "bank.example"),
            ("b2", "bank.example"),
            ("c3", "desk.example"),
            ("d4", "desk.example"),
        )
    ]
    at_home, again, elsewhere, there_again = [(await take(store, each))[0].conversation_id for each in said]
    assert (at_home, elsewhere) == (again, there_again)


@pytest.mark.parametrize("in_between", ["ben@example.com", "list@example.com"])
async def test_another_who_wants_answers_at_the_same_address_takes_nobodys_subject_away(
    database: Database, store: EventStore, in_between: str
) -> None:
    said = {"topic": "order 7", "reply_to": Address("email", "list@example.com", "")}
    senders = ("anna@example.com", in_between, "anna@example.com")
    first, other, again = [(await take(store, inbound(sender=who, **said)))[0] for who in senders]
    assert other.conversation_id != first.conversation_id == again.conversation_id
    assert rethread(await events(database)).changes == {}


async def test_in_one_batch_the_subject_is_known_too(store: EventStore) -> None:
    first, second = await take(store, inbound(topic="order 7"), inbound(topic="order 7"))
    assert first.conversation_id == second.conversation_id


async def test_a_group_is_one_conversation_of_whoever_opened_it(store: EventStore) -> None:
    said = []
    for sender in ("anna@example.com", "ben@example.com") * 2:
        said += await take(store, inbound(sender=sender, thread_key="group"))
    assert len({(message.conversation_id, message.customer_id) for message in said}) == 1
    assert [message.sender.address for message in said] == ["anna@example.com", "ben@example.com"] * 2


# --- moving -----------------------------------------------------------------------------------------------


async def moved(store: EventStore, source: UUID, message_id: UUID, to: UUID | None) -> UUID:
    place: list[UUID] = []
    await store.record(lambda session, tx: place.append(move(session, tx, source, [message_id], to, about(OLGA))))
    return place[-1]


async def texts(database: Database, conversation_id: UUID) -> list[str]:
    await show(database)
    page = timeline.Page(100)
    found = await database.read(partial(timeline.of_conversation, conversation_id=conversation_id, page=page))
    assert {entry["conversation_id"] for entry in found} <= {str(conversation_id)}
    return [entry["text"] for entry in found]


async def test_a_message_moves_to_another_conversation_and_takes_its_answers_along(
    database: Database, store: EventStore
) -> None:
    target, first = await take(store, inbound("target"), inbound("one", name="One"))
    (wrong,) = await take(store, inbound("wrong " * 200, "ben@example.com", proves=(first.external_id,)))
    place = await moved(store, first.conversation_id, wrong.message_id, target.conversation_id)
    assert place == target.conversation_id
    assert await texts(database, first.conversation_id) == ["one"]
    assert await texts(database, target.conversation_id) == ["target", wrong.text]
    left, came = await listed(database, first.conversation_id), await listed(database, target.conversation_id)
    assert (left["messages_count"], left["reply_to"], left["last_message"]["preview"]) == (
        1, ["anna@example.com"], "one"
    )  # fmt: skip
    assert (came["messages_count"], came["reply_to"]) == (2, ["ben@example.com"])
    (answer,) = await take(store, inbound(sender="ben@example.com", refers_to=(wrong.external_id,)))
    assert answer.conversation_id == target.conversation_id
    assert await take(store, inbound(id=wrong.message_id)) == []


async def test_a_message_moved_out_alone_belongs_to_its_sender_and_leaves_a_closed_conversation(
    database: Database, store: EventStore
) -> None:
    (first,) = await take(store, inbound("only"))
    place = await moved(store, first.conversation_id, first.message_id, None)
    assert place != first.conversation_id
    left, came = await listed(database, first.conversation_id), await listed(database, place)
    assert (left["status"], left["messages_count"], left["unanswered"], left["reply_to"]) == ("closed", 0, False, None)
    assert (came["status"], came["messages_count"], came["unanswered"]) == ("open", 1, True)
    assert came["customer_id"] == str(first.customer_id)
    back = await moved(store, place, first.message_id, first.conversation_id)
    assert back == first.conversation_id
    assert (await listed(database, back))["status"] == "open"


async def test_only_a_clients_message_that_is_there_can_be_moved(store: EventStore) -> None:
    (first,) = await take(store, inbound())
    reply_id = uuid4()
    await store.handle(first.conversation_id, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)
    for message_id, to in ((reply_id, None), (uuid4(), None), (first.message_id, uuid4())):
        with pytest.raises(Refused):
            await moved(store, first.conversation_id, message_id, to)
    with pytest.raises(Refused):
        await moved(store, first.conversation_id, first.message_id, first.conversation_id)


# --- history ----------------------------------------------------------------------------------------------


def rethread(log: Sequence[e.Recorded]) -> Rethreading:
    rethreading = Rethreading()
    for recorded in log:
        rethreading.take(recorded)
    return rethreading


async def test_todays_rules_agree_with_themselves_and_with_the_operators(database: Database, store: EventStore) -> None:
    first, *_ = await take(store, inbound(recipients=("boss@x",)), inbound(topic="a"), inbound(topic="a"))
    (answer,) = await take(store, inbound(sender="boss@x", refers_to=(first.external_id,)))
    await take(store, inbound(sender="eve@x", refers_to=(first.external_id,)), inbound(thread_key="g"))
    await moved(store, answer.conversation_id, answer.message_id, None)
    await take(store, inbound(sender="boss@x", refers_to=(answer.external_id,)))
    assert rethread(await events(database)).changes == {}


async def test_a_message_that_older_rules_put_elsewhere_is_shown(database: Database, store: EventStore) -> None:
    first, second = await take(store, inbound(), inbound())
    log = await events(database)
    old = replace(log[-1], event=replace(second, refers_to=(first.external_id,)))
    (change,) = rethread([*log[:-1], old]).changes.values()
    assert (change.message_id, change.actual) == (second.message_id, second.conversation_id)
    assert (change.wanted, change.score) == (first.conversation_id, 80)
