"""Mails of ours that come back, from their bytes to what becomes of the reply."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.ingest.understand import understand
from services.projector import inbound as intake
from shared.blobs import Blobs
from shared.channels.email.build import build
from shared.channels.email.parse import parse
from shared.contracts.inbound import Address, InboundMessage
from shared.contracts.outbound import OutboundReply
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.store import EventStore
from shared.parsed import RawItem
from tests.channels.email.mailbox import mailbox
from tests.examples import AT, MAILBOX, OLGA
from tests.services.projector.running import shown
from tests.stores import create_all_tables

CHANNEL = mailbox(reply_key="6b" * 32)
FIRST = (
    b"From: anna@example.org\r\nTo: support@example.com\r\nMessage-ID: <1@example.org>\r\nSubject: Order\r\n\r\nHello"
)


@pytest_asyncio.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    database = open_database(sqlite_url)
    yield database
    await database.close()


@pytest_asyncio.fixture
async def store(database: Database) -> EventStore:
    return create_all_tables(database)


async def take(store: EventStore, folder: Path, data: bytes, key: str) -> list[e.Event]:
    item = await understand(RawItem(data, "message/rfc822", AT, key), CHANNEL, parse, Blobs(folder))
    assert isinstance(item, InboundMessage)
    handled = await store.record(lambda session, tx: intake.receive(session, tx, [item]))
    return [happening.event for happening in handled.happenings]


def mail_of(reply_id: UUID, conversation_id: UUID) -> bytes:
    to = (Address("email", "anna@example.org"),)
    reply = OutboundReply(
        reply_id, conversation_id, CHANNEL.id, to, "Order", "Hi", "Olga", AT, "<1@example.org>", ("<1@example.org>",),
        "", None, (),
    )  # fmt: skip
    return build(reply, CHANNEL, {}).data


@pytest.mark.parametrize("renamed", [False, True])
async def test_a_copy_that_comes_back_settles_an_unknown_fate(
    database: Database, store: EventStore, tmp_path: Path, renamed: bool
) -> None:
    *_, message = await take(store, tmp_path, FIRST, "1.1")
    assert isinstance(message, e.MessageReceived)
    id_, reply_id = message.conversation_id, uuid4()
    await store.handle(id_, c.RequestReply(reply_id, "Hi"), OLGA, reply_id)
    await store.handle(id_, c.RecordDelivery(reply_id, MAILBOX, 1, "unknown", 1), e.Actor("system"))
    copy = mail_of(reply_id, id_)
    if renamed:  # by a server that gives a mail its own Message-ID
        copy = copy.replace(b"\r\nMessage-ID: <", b"\r\nMessage-ID: <new.", 1)
    happened = await take(store, tmp_path, copy, "Sent 1.1")
    assert [type(event) for event in happened] == [e.EchoReceived, e.ReplySent]
    entries = await shown(database, id_)
    assert [entry["delivery"]["state"] for entry in entries if entry["delivery"]] == ["sent"]
    assert len(entries) == 2
