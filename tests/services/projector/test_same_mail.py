"""A mail that reaches the mailbox several times, from its bytes to the timeline; also beside what an older log has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from services.ingest.understand import understand
from shared.blobs import Blobs
from shared.channels.email.parse import parse
from shared.contracts.inbound import InboundMessage, inbound_id
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.event_store.reindex import reindex
from shared.event_store.store import EventStore
from shared.parsed import RawItem
from tests.channels.email.mailbox import CHANNEL_ID, mailbox
from tests.event_store.index import derived, standing
from tests.examples import AT, unreadable
from tests.services.projector.running import messages, names, take
from tests.stores import create_all_tables

MAIL = (
    "From: Anna <anna@example.org>\r\nTo: support@example.com, sales@example.com\r\nMessage-ID: <1@example.org>\r\n"
    "Date: Fri, 20 Nov 2026 10:00:00 +0300\r\nSubject: Order\r\n\r\n"
)
ALIASES = ("support", "sales", "info")


@pytest_asyncio.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    database = open_database(sqlite_url)
    yield database
    assert await database.read(standing) == await database.read(derived)
    await database.close()


@pytest_asyncio.fixture
async def store(database: Database) -> EventStore:
    return create_all_tables(database)


async def came(alias: str, text: str = "Hello", place: str = "INBOX/1/7", id_: UUID | None = None) -> InboundMessage:
    """Return the mail as it came by one of the aliases of the mailbox; `id_`: of its place in the quarantine."""
    data = f"Delivered-To: {alias}@example.com\r\n{MAIL}{text}\r\n".encode()
    item = await understand(RawItem(data, "message/rfc822", AT, place), mailbox(), parse, Blobs(Path("unused")), id_)
    assert isinstance(item, InboundMessage)
    return item


async def by_every_alias() -> list[InboundMessage]:
    return [await came(alias) for alias in ALIASES]


def of_an_older_version(item: InboundMessage) -> InboundMessage:
    """It knew a mail by its bytes alone."""
    return replace(item, same_as=())


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_a_mail_that_came_by_three_aliases_is_one_message_however_often_it_is_read(
    database: Database, store: EventStore, order: tuple[int, ...]
) -> None:
    copies = await by_every_alias()
    assert len({copy.id for copy in copies}) == 3
    for number in order:
        await take(store, copies[number])
    await take(store, *copies)
    await take(EventStore(database), *reversed(copies))
    assert list(await messages(database)) == [copies[order[0]].id]


async def test_copies_in_one_batch_are_one_message_and_other_words_under_their_id_another(
    database: Database, store: EventStore
) -> None:
    copies, other = await by_every_alias(), await came("sales", "Give me the money")
    await take(store, copies[0], other, copies[1], copies[2])
    assert list(await messages(database)) == [copies[0].id, other.id]


async def test_what_a_log_of_an_older_version_has_is_not_doubled_when_a_folder_is_read_anew(
    database: Database, store: EventStore
) -> None:
    straight, aliased, later = await by_every_alias()
    await take(store, *map(of_an_older_version, (straight, aliased)))
    await take(store, straight, aliased)
    assert list(await messages(database)) == [straight.id, aliased.id]
    await take(store, later)
    await take(store, later, await came("support"), await came("sales"), await came("info"))
    assert list(await messages(database)) == [straight.id, aliased.id, later.id]


async def test_an_older_version_that_runs_again_finds_what_this_one_has_written(
    database: Database, store: EventStore
) -> None:
    straight = await came("support")
    await take(store, straight)
    await take(store, of_an_older_version(straight))
    assert list(await messages(database)) == [straight.id]


async def test_after_a_restore_copies_are_known_as_before(database: Database, store: EventStore) -> None:
    copies = await by_every_alias()
    await take(store, *copies[:2])
    await database.write(lambda tx: tx.run("DELETE FROM routing_copies"))
    await asyncio.to_thread(reindex, database)
    await take(EventStore(database), *copies)
    assert list(await messages(database)) == [copies[0].id]


async def test_a_mail_that_was_understood_at_last_is_one_with_its_copies_before_and_after(
    database: Database, store: EventStore
) -> None:
    waiting = unreadable(id=inbound_id(CHANNEL_ID, "INBOX/1/7"))
    await take(store, waiting, await came("support", id_=waiting.id))
    await take(store, await came("support", place="INBOX/2/1"), await came("sales", place="INBOX/2/2"))
    assert list(await messages(database)) == [waiting.id]
    other = unreadable(id=inbound_id(CHANNEL_ID, "INBOX/1/8"))
    await take(store, other, await came("info", id_=other.id))
    assert list(await messages(database)) == [waiting.id]
    assert (await names(database))[-1] == "QuarantineResolved"
