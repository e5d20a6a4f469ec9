"""Automatic answers: once a day to a person who wrote to this mailbox, and to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio

from services.projector import inbound as intake
from shared.clock import now, to_text
from shared.contracts.codec import Contract
from shared.contracts.inbound import Address, InboundMessage
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import events as e
from shared.event_store.store import EventStore
from shared.read_models import conversations
from tests.event_store.index import derived, standing
from tests.examples import MAILBOX, inbound
from tests.read_models.contents import show
from tests.stores import create_all_tables

TEXT = r"Спасибо, мы получили ваше письмо.\nОтветим в рабочее время."


@pytest_asyncio.fixture
async def database(any_url: str) -> AsyncIterator[Database]:
    database = open_database(any_url)
    yield database
    assert await database.read(standing) == await database.read(derived)
    await database.close()


@pytest_asyncio.fixture
async def store(database: Database) -> EventStore:
    store = create_all_tables(database)
    settings = orjson.dumps({"address": "Support@okno.example", "auto_reply": TEXT}).decode()
    row = (str(MAILBOX), "email", "Support", settings, "", "active", to_text(now()))
    await database.write(lambda tx: tx.run("INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?, ?)", row))
    return store


def mail(**more: Any) -> InboundMessage:
    return inbound(**{"occurred_at": now(), "recipients": ("support@okno.example",), **more})


async def replies(store: EventStore, *contracts: Contract) -> list[e.ReplyRequested]:
    handled = await store.record(lambda session, tx: intake.receive(session, tx, contracts))
    events = [happening.event for happening in handled.happenings]
    return [event for event in events if isinstance(event, e.ReplyRequested)]


async def test_whoever_writes_is_answered_once_a_day(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = mail(), mail()
    (reply,) = await replies(store, first, second)
    assert (reply.text, reply.automatic, reply.to, reply.quotes) == (
        TEXT.replace("\\n", "\n"), True, (e.Address("email", "anna@example.com", "Anna"),), False
    )  # fmt: skip
    assert await replies(store, first) == []
    assert await replies(store, mail(external_id="<3@x>")) == []
    monkeypatch.setattr(intake, "now", lambda: now() + timedelta(hours=25))
    assert len(await replies(store, mail(external_id="<4@x>", occurred_at=now() + timedelta(hours=25)))) == 1


@pytest.mark.parametrize(
    "refused",
    [
        {"nature": "automatic"},
        {"nature": "list"},
        {"nature": "bounce"},
        {"nature": "spam"},
        {"sender": Address("email", "no-reply@shop.example")},
        {"sender": Address("email", "MAILER-DAEMON@example.com")},
        {"reply_to": Address("email", "news-bounces@lists.example")},
        {"sender": Address("email", "noreply@shop.example"), "reply_to": Address("email", "ann@shop.example")},
        {"recipients": ("somebody@else.example",)},
        {"recipients": ()},
        {"occurred_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"cannot_reply": "nobody is there"},
        {"direction": "outbound"},
    ],
    ids=lambda refused: "=".join(map(str, next(iter(refused.items()))))[:50],
)
async def test_nobody_else_is(store: EventStore, refused: dict[str, Any]) -> None:
    assert await replies(store, replace(mail(), **refused)) == []


async def test_a_client_with_an_automatic_answer_still_waits(database: Database, store: EventStore) -> None:
    (reply,) = await replies(store, mail())
    await show(database)
    row = await database.read(lambda tx: conversations.conversation(tx, reply.conversation_id))
    assert row is not None
    assert (row["unanswered"], row["last_message"]["direction"], row["messages_count"]) == (True, "inbound", 2)


async def test_without_a_rule_nobody_is_answered(database: Database, store: EventStore) -> None:
    await database.write(lambda tx: tx.run("""UPDATE channels SET settings = '{"address": "support@okno.example"}'"""))
    assert await replies(store, mail()) == []


@pytest.mark.cluster
async def test_two_processes_answer_one_address_once(database_url: str) -> None:
    """Two clients with one address to reply to are in two partitions."""
    settings = orjson.dumps({"address": "support@okno.example", "auto_reply": "Hi"}).decode()
    row = (str(MAILBOX), "email", "Support", settings, "", "active", to_text(now()))
    one, other = open_database(database_url), open_database(database_url)
    stores = [create_all_tables(one), EventStore(other)]
    await one.write(lambda tx: tx.run("INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?, ?)", row))
    to = Address("email", "family@example.com")
    for attempt in range(5):
        family = replace(to, address=f"{attempt}{to.address}")
        mails = [
            replace(
                mail(external_id=f"<{who}{attempt}@x>"), sender=Address("email", f"{who}{attempt}@x"), reply_to=family
            )
            for who in "ab"
        ]
        asked = await asyncio.gather(*(replies(store, each) for store, each in zip(stores, mails, strict=True)))
        assert sorted(map(len, asked)) == [0, 1]
    await one.close()
    await other.close()


async def test_a_ticket_system_with_an_address_for_each_ticket_is_answered_once(store: EventStore) -> None:
    asked = [
        await replies(store, replace(mail(external_id=f"<{n}@x>"), reply_to=Address("email", f"Help+{n}@shop.example")))
        for n in range(3)
    ]
    assert [len(each) for each in asked] == [1, 0, 0]
