"""Mails of strangers who quote what belongs to somebody else, from their bytes to the conversation they open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from services.ingest.understand import understand
from services.projector import inbound as intake
from shared.blobs import Blobs
from shared.channels.email import signed
from shared.channels.email.parse import parse
from shared.contracts.inbound import InboundMessage
from shared.database.open import open_database
from shared.domain import events as e
from shared.event_store.store import EventStore
from shared.parsed import RawItem
from tests.channels.email.mailbox import ADDRESS, mailbox
from tests.examples import AT
from tests.stores import create_all_tables

KEY = "6b" * 32


@pytest_asyncio.fixture
async def store(sqlite_url: str) -> AsyncIterator[EventStore]:
    database = open_database(sqlite_url)
    yield create_all_tables(database)
    await database.close()


async def written(store: EventStore, folder: Path, *headers: str) -> e.MessageReceived:
    """Take a mail in and return the message it became."""
    data = "\r\n".join([*headers, "", "Hello"]).encode()
    item = await understand(
        RawItem(data, "message/rfc822", AT, headers[0]), mailbox(reply_key=KEY), parse, Blobs(folder)
    )
    assert isinstance(item, InboundMessage)
    handled = await store.record(lambda session, tx: intake.receive(session, tx, [item]))
    (message,) = [h.event for h in handled.happenings if isinstance(h.event, e.MessageReceived)]
    return message


def forged(conversation_id: UUID) -> str:
    return signed.address(ADDRESS, conversation_id, b"a guess")


@pytest.mark.parametrize(
    ("quotes", "warnings"),
    [
        ("In-Reply-To: <anna-1@example.org>", ("quotes_a_stranger",)),
        ("References: <x@y> <anna-1@example.org>", ("quotes_a_stranger",)),
        ("Delivered-To: {forged}", ("forged_address",)),
        ("Thread-Topic: [{id}]", ()),
    ],
)
async def test_a_stranger_opens_a_conversation_of_their_own(
    store: EventStore, tmp_path: Path, quotes: str, warnings: tuple[str, ...]
) -> None:
    anna = await written(
        store, tmp_path, "From: anna@example.org", "Message-ID: <anna-1@example.org>", "Subject: Order 17"
    )
    line = quotes.format(forged=forged(anna.conversation_id), id=anna.conversation_id)
    eve = await written(
        store, tmp_path, "From: eve@evil.example", line, f"Subject: Re: Order 17 [#{anna.conversation_id}]"
    )
    assert eve.conversation_id != anna.conversation_id
    assert eve.customer_id != anna.customer_id
    assert eve.warnings == warnings


async def test_who_belongs_there_is_joined_though_the_address_was_changed_on_its_way(
    store: EventStore, tmp_path: Path
) -> None:
    first = await written(store, tmp_path, "From: anna@example.org", "Message-ID: <anna-1@example.org>")
    again = await written(
        store, tmp_path, "From: anna@example.org", "In-Reply-To: <anna-1@example.org>",
        f"To: {forged(first.conversation_id)}",
    )  # fmt: skip
    assert (again.conversation_id, again.warnings) == (first.conversation_id, ("forged_address",))
