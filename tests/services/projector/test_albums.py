"""Messages that come in several items (albums): one entry, the same in whichever order its parts come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest_asyncio

from shared.contracts.codec import Contract
from shared.contracts.files import FileFetched, fetch_id
from shared.contracts.inbound import About, Deleted, Edited, FileRef, InboundMessage, Reacted, RemoteFile
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import commands as c
from shared.domain import events as e
from shared.event_store.moving import move
from shared.event_store.raw_items import raw_at, raw_item
from shared.event_store.store import EventStore
from shared.read_models import attachments, conversations, timeline
from tests.event_store.index import derived, standing
from tests.examples import AT, MAILBOX, OLGA, about, inbound
from tests.read_models.contents import show
from tests.services.projector.running import events, names, take
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


def part(number: int, text: str = "", **other: Any) -> InboundMessage:
    """One photo of an album, beside the file that is still to be fetched."""
    values: dict[str, Any] = {
        "external_id": f"7:{number}", "known_as": (), "thread_key": "7", "subject": "", "part_of": "7/album/1",
        "occurred_at": AT + timedelta(seconds=number),
        "files": (FileRef(f"{number:064}", 5, f"{number}.jpg", "image/jpeg"),),
        "remote_files": (RemoteFile(f"r{number}", f"{number}.mp4", "video/mp4"),),
    }  # fmt: skip
    return inbound(text, **values | other)


ALBUM = [part(8), part(9, "Вот фото", html="<b>Вот</b> фото"), part(10), part(11, "и <ещё>")]


def told(number: int, text: str = "", after: int = 60, **what: Any) -> InboundMessage:
    at = AT + timedelta(seconds=after)
    return inbound(
        text, external_id=f"update {number} {after}", known_as=(), thread_key="7", occurred_at=at, about=About(**what)
    )


def edited(number: int, text: str) -> InboundMessage:
    edit = told(number, text, edited=Edited(f"7:{number}"))
    return replace(edit, part_of="7/album/1", files=(FileRef(f"{number:064}", 5, f"{number}.jpg", "image/jpeg"),))


def fetched(item: InboundMessage) -> FileFetched:
    [remote] = item.remote_files
    ref = FileRef("ab" * 32, 7, remote.name, remote.media_type)
    return FileFetched(fetch_id(item.id, remote.ref), item.id, MAILBOX, remote.ref, ref, AT)


async def entries(database: Database, customer: bool = False) -> list[dict[str, Any]]:
    """Return the messages of the only conversation."""
    await show(database)
    log = await events(database)
    [id_] = {r.event.conversation_id for r in log if isinstance(r.event, e.ConversationOpened)}
    return await database.read(partial(timeline.of_conversation, conversation_id=id_, page=timeline.Page(10)))


async def after(path: Path, items: Sequence[Contract]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return what stands when items came one by one, each twice: without where in the log that is."""
    database = open_database(f"sqlite:///{path}")
    store = create_all_tables(database)
    for item in items:
        await take(store, item)
        await take(store, item)
    shown = await entries(database)
    for entry in shown:
        entry.pop("position")
        entry.pop("recorded_at")
        entry["raw"].pop("url")
    found = await database.read(
        partial(conversations.conversation, conversation_id=UUID(str(shown[0]["conversation_id"])))
    )
    assert found is not None
    await database.close()
    return shown, {name: found[name] for name in ("status", "messages_count", "unanswered", "reply_to")}


async def test_the_parts_of_an_album_are_one_message_in_any_order(tmp_path: Path) -> None:
    orders = [await after(tmp_path / f"{n}.db", order) for n, order in enumerate(permutations(ALBUM))]
    assert all(order == orders[0] for order in orders)
    [entry], conversation = orders[0]
    assert (entry["external_id"], entry["text"]) == ("7:8", "Вот фото\n\nи <ещё>")
    assert entry["html"] == "<b>Вот</b> фото<br><br>и &lt;ещё&gt;"
    names_of_files = [file["name"] for file in entry["attachments"]]
    assert names_of_files == [f"{n}.{kind}" for n in (8, 9, 10, 11) for kind in ("jpg", "mp4")]
    assert len({file["id"] for file in entry["attachments"]}) == 8
    assert conversation == {
        "status": "open", "messages_count": 1, "unanswered": True, "reply_to": ["anna@example.com"]
    }  # fmt: skip


async def test_what_is_told_of_a_part_changes_that_part_in_any_order(tmp_path: Path) -> None:
    changes = [edited(9, "Вот оно"), told(8, deleted=Deleted(("7:8",))), fetched(ALBUM[3])]
    items = [ALBUM[0], ALBUM[1], changes[0], changes[1]]
    orders = [
        await after(tmp_path / f"{n}.db", [*order, ALBUM[3], changes[2]])
        for n, order in enumerate(permutations(items))
        if order.index(items[0]) < order.index(items[3])
    ]
    for [entry], conversation in orders:
        assert (entry["text"], [file["name"] for file in entry["attachments"]]) == (
            "Вот оно\n\nи <ещё>", ["9.jpg", "11.jpg", "11.mp4"]
        )  # fmt: skip
        assert entry["attachments"][-1]["sha256"] == "ab" * 32
        assert (entry["deleted_at"], entry["edited_at"] is not None) == (None, True)
        assert conversation["messages_count"] == 1


async def test_a_reaction_to_a_part_stands_at_the_message(database: Database, store: EventStore) -> None:
    await take(store, *ALBUM, told(9, reacted=Reacted("7:9", ("👍",))))
    [entry] = await entries(database)
    assert [reaction["reactions"] for reaction in entry["reactions"]] == [["👍"]]


async def test_an_album_whose_parts_are_all_deleted_is_deleted(database: Database, store: EventStore) -> None:
    await take(store, *ALBUM, told(0, deleted=Deleted(tuple(item.external_id for item in ALBUM))))
    [entry] = await entries(database)
    assert (entry["text"], entry["attachments"]) == ("", [])
    assert entry["deleted_at"] is not None


async def test_parts_at_once_at_two_processes_are_one_message(database: Database, store: EventStore) -> None:
    await asyncio.gather(take(store, *ALBUM[:2]), take(EventStore(database), *ALBUM[2:]))
    [entry] = await entries(database)
    assert len(entry["attachments"]) == 8
    assert (await names(database)).count("MessageExtended") == 3


async def test_a_part_for_a_closed_conversation_reopens_it(database: Database, store: EventStore) -> None:
    *_, message, _ = await take(store, ALBUM[0])
    await store.handle(message.conversation_id, c.Close(), OLGA)
    happened = await take(store, ALBUM[1])
    assert [type(event).__name__ for event in happened] == ["ConversationReopened", "MessageExtended", "FilesAnnounced"]


async def test_a_part_follows_its_message_that_was_moved(database: Database, store: EventStore) -> None:
    *_, message, _ = await take(store, ALBUM[0])
    await store.record(
        lambda session, tx: void(move(session, tx, message.conversation_id, [message.message_id], None, about(OLGA)))
    )
    extended, _ = await take(store, ALBUM[1])
    assert isinstance(extended, e.MessageExtended)
    assert extended.conversation_id != message.conversation_id


async def test_the_bytes_of_every_part_and_its_files_are_kept(database: Database, store: EventStore) -> None:
    await take(store, *ALBUM)
    [entry] = await entries(database)
    for position in [r.position for r in await events(database) if isinstance(r.event, e.MessageExtended)]:
        raw = await database.read(partial(raw_at, position=position))
        assert raw is not None
        assert len(await database.read(partial(raw_item, position=position)) or b"") == raw.size
    for file in entry["attachments"][::2]:
        kept = await database.read(partial(attachments.attachment, id_=UUID(file["id"])))
        assert kept is not None
        assert kept["sha256"] == file["sha256"]


async def test_the_same_group_in_another_channel_is_another_message(database: Database, store: EventStore) -> None:
    await take(store, ALBUM[0], part(8, channel_id=OLGA_CHANNEL))
    assert (await names(database)).count("MessageReceived") == 2


OLGA_CHANNEL = UUID("6f7b0a4e-0000-4000-8000-00000000000f")


def void(_: object) -> None:
    """What `record` wants of a decision."""
