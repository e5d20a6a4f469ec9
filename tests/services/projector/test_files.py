"""Files that come after their message: announced, arrived, given up; of calls, edits and moved messages too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio

from shared.contracts.files import FileFetched, FileUnavailable, fetch_id
from shared.contracts.inbound import About, Edited, FileRef, InboundMessage, RemoteFile
from shared.database.open import open_database
from shared.database.protocol import Database
from shared.domain import events as e
from shared.event_store.moving import move
from shared.event_store.store import EventStore
from shared.read_models import attachments, timeline
from tests.examples import AT, MAILBOX, OLGA, about, call_report, inbound
from tests.read_models.contents import show
from tests.services.projector.running import take
from tests.stores import create_all_tables

VOICE, PHOTO = RemoteFile("v", "voice.ogg", "audio/ogg", 7), RemoteFile("p", "photo.jpg", "image/jpeg")


@pytest_asyncio.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    database = open_database(sqlite_url)
    yield database
    await database.close()


@pytest_asyncio.fixture
async def store(database: Database) -> EventStore:
    return create_all_tables(database)


def fetched(item: InboundMessage, file: RemoteFile, sha256: str = "ab" * 32) -> FileFetched:
    ref = FileRef(sha256, 7, file.name, file.media_type)
    return FileFetched(fetch_id(item.id, file.ref), item.id, MAILBOX, file.ref, ref, AT)


def missing(item: InboundMessage, file: RemoteFile) -> FileUnavailable:
    return FileUnavailable(fetch_id(item.id, file.ref), item.id, MAILBOX, file.ref, "larger than 20 MB", AT)


async def files(database: Database, conversation_id: UUID) -> list[Any]:
    await show(database)
    page = timeline.Page(10)
    shown = await database.read(partial(timeline.of_conversation, conversation_id=conversation_id, page=page))
    return [
        (file["name"], file["sha256"], file.get("state"), file.get("problem"))
        for message in shown
        for file in message["attachments"]
    ]


async def test_files_keep_their_order_however_they_come(database: Database, store: EventStore) -> None:
    item = inbound(files=(FileRef("cd" * 32, 5, "a.txt", "text/plain"),), remote_files=(VOICE, PHOTO, VOICE))
    *_, message, announced = await take(store, item)
    assert isinstance(announced, e.FilesAnnounced)
    id_ = message.conversation_id
    here = ("a.txt", "cd" * 32, None, None)
    assert await files(database, id_) == [
        here, ("voice.ogg", None, "fetching", None), ("photo.jpg", None, "fetching", None)
    ]  # fmt: skip
    await take(store, missing(item, PHOTO))
    await take(store, fetched(item, VOICE))
    assert await take(store, fetched(item, VOICE), missing(item, PHOTO)) == []
    assert await files(database, id_) == [
        here, ("voice.ogg", "ab" * 32, None, None), ("photo.jpg", None, "missing", "larger than 20 MB")
    ]  # fmt: skip
    page = timeline.Page(10)
    (shown,) = await database.read(partial(timeline.of_conversation, conversation_id=id_, page=page))
    found = await database.read(partial(attachments.attachment, id_=UUID(shown["attachments"][1]["id"])))
    assert found == {"sha256": "ab" * 32, "name": "voice.ogg", "media_type": "audio/ogg"}


async def test_a_file_of_an_unknown_item_changes_nothing(store: EventStore) -> None:
    assert await take(store, fetched(inbound(), VOICE)) == []


async def test_the_recording_of_a_call_is_one_file_however_many_reports_name_it(
    database: Database, store: EventStore
) -> None:
    await take(store, call_report("ringing"))
    reports = [replace(call_report("finished"), remote_files=(VOICE,)) for _ in range(2)]
    progressed, announced = await take(store, *reports)
    assert (type(progressed), type(announced)) == (e.CallProgressed, e.FilesAnnounced)
    assert len(await take(store, fetched(reports[0], VOICE))) == 1
    assert await take(store, fetched(reports[1], VOICE)) == []
    assert await take(store, replace(call_report("finished"), remote_files=(VOICE,))) == []
    await show(database)
    page = timeline.Page(10)
    of = partial(timeline.of_conversation, conversation_id=progressed.conversation_id, page=page)
    (call,) = await database.read(of)
    assert call["call"]["recording"] == call["attachments"][0]["url"] is not None


async def test_the_same_file_in_a_new_version_is_the_versions_own(database: Database, store: EventStore) -> None:
    item = inbound("look", external_id="7", known_as=(), remote_files=(PHOTO,))
    *_, message, _ = await take(store, item)
    edit = inbound("look!", external_id=str(uuid4()), known_as=(), about=About(edited=Edited("7")))
    edit = replace(edit, remote_files=(PHOTO,))
    await take(store, edit, fetched(item, PHOTO), fetched(edit, PHOTO, "ef" * 32))
    assert await files(database, message.conversation_id) == [("photo.jpg", "ef" * 32, None, None)]
    page = timeline.Page(10)
    of = partial(timeline.of_conversation, conversation_id=message.conversation_id, page=page)
    ((earlier,),) = [shown["versions"] for shown in await database.read(of)]
    assert [file["sha256"] for file in earlier["attachments"]] == ["ab" * 32]


async def test_a_file_finds_its_message_after_it_was_moved(database: Database, store: EventStore) -> None:
    item = inbound(remote_files=(PHOTO,))
    *_, message, _ = await take(store, item)
    place: list[UUID] = []
    await store.record(
        lambda session, tx: place.append(
            move(session, tx, message.conversation_id, [message.message_id], None, about(OLGA))
        )
    )
    await take(store, fetched(item, PHOTO))
    assert await files(database, place[-1]) == [("photo.jpg", "ab" * 32, None, None)]
