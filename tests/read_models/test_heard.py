"""Who has listened, and which attachments are recordings, on both databases; from zero it is the same."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from uuid import UUID, uuid4

from services.projector import inbound as intake
from shared.contracts.files import FileFetched, fetch_id
from shared.contracts.inbound import FileRef, RemoteFile
from shared.database.protocol import Database
from shared.domain import events as e
from shared.event_store.log import read_log
from shared.event_store.mapper import About, Happening
from shared.event_store.store import EventStore
from shared.read_models import heard, live
from shared.read_models.entries import attachment_id, remote_id
from tests.examples import AT, CUSTOMER, LINE, OLGA, call_report, inbound
from tests.read_models.contents import contents, empty_tables, show

SOUND = RemoteFile("r1", "recording.mp3", "audio/mpeg")


async def test_the_file_of_a_call_is_a_recording_and_others_are_not(database: Database, store: EventStore) -> None:
    call, mail = replace(call_report("finished"), remote_files=(SOUND,)), inbound(remote_files=(SOUND,))
    kept = FileRef("ab" * 32, 7, SOUND.name, SOUND.media_type)
    files = [FileFetched(fetch_id(each.id, "r1"), each.id, LINE, "r1", kept, AT) for each in (call, mail)]
    handled = await store.record(lambda session, tx: intake.receive(session, tx, [call, mail, *files]))
    await show(database)
    message = next(h.event for h in handled.happenings if isinstance(h.event, e.MessageReceived))
    id_ = remote_id(call.id, "r1")
    found = await database.read(partial(heard.recording, attachment_id=id_))
    assert found == heard.Recording(id_, message.message_id, message.customer_id, "recording.mp3")
    for other in (remote_id(mail.id, "r1"), attachment_id(message.message_id, 0)):
        assert await database.read(partial(heard.recording, attachment_id=other)) is None


async def test_listenings_are_listed_and_the_same_from_zero(database: Database, store: EventStore) -> None:
    events = [e.RecordingHeard(uuid4(), UUID(int=number % 2), CUSTOMER, f"{number}.mp3") for number in range(3)]
    for event in events:
        happening = Happening(event, About(AT, OLGA))
        await store.record(lambda session, tx, it=happening: session.append(uuid4(), 1, it))  # type: ignore[misc]
    await show(database)
    everything = await database.read(partial(heard.page, message_id=None, before=None, limit=2))
    assert [each["name"] for each in everything] == ["2.mp3", "1.mp3"]
    rest = await database.read(partial(heard.page, message_id=None, before=everything[-1]["position"], limit=2))
    of_one = await database.read(partial(heard.page, message_id=UUID(int=0), before=None, limit=9))
    assert [[each["name"] for each in page] for page in (rest, of_one)] == [["0.mp3"], ["2.mp3", "0.mp3"]]
    assert rest[0]["operator"] == {"id": OLGA.id, "name": "Olga"}
    log = await database.read(lambda tx: read_log(tx, 0, 100))
    with empty_tables() as empty:
        for model in live.models().values():
            model.apply(empty, log, "")
        assert contents(empty) == await database.read(contents)
