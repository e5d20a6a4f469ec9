"""Recordings of calls: played with seeking, and who listens is recorded before a byte is given."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.inbox_api import heard
from shared.contracts.files import FileFetched, fetch_id
from shared.contracts.inbound import FileRef, RemoteFile
from shared.domain import events as e
from shared.event_store.log import read_log
from tests.examples import AT, LINE, call_report, inbound
from tests.services.inbox_api.office import Office

SOUND = bytes(range(256)) * 4096
"""A megabyte: several parts."""


async def recorded_call(office: Office) -> tuple[str, str, e.MessageReceived]:
    """Return the path and sha256 of a call's recording, and the call."""
    report = replace(call_report("finished"), remote_files=(RemoteFile("r1", "recording.mp3", "audio/mpeg"),))
    (call,) = await office.receive(report)
    sha256 = await office.blobs.put(SOUND)
    file = FileRef(sha256, len(SOUND), "recording.mp3", "audio/mpeg")
    await office.receive(FileFetched(fetch_id(report.id, "r1"), report.id, LINE, "r1", file, AT))
    (shown,) = [m for m in (await office.get(f"/conversations/{call.conversation_id}/messages"))["items"] if m["call"]]
    assert shown["call"]["recording"] == shown["attachments"][0]["url"]
    return shown["call"]["recording"], sha256, call


async def listenings(office: Office) -> list[tuple[str, str]]:
    events = await office.database.read(lambda tx: read_log(tx, 0, 10_000))
    return [(r.actor.name, str(r.event.attachment_id)) for r in events if isinstance(r.event, e.RecordingHeard)]


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("", 200, 0, len(SOUND) - 1),
        ("bytes=0-", 206, 0, len(SOUND) - 1),
        ("bytes=300000-", 206, 300_000, len(SOUND) - 1),
        ("bytes=5-9", 206, 5, 9),
        ("bytes=-4", 206, len(SOUND) - 4, len(SOUND) - 1),
        ("bytes=0-1, 5-6", 200, 0, len(SOUND) - 1),
    ],
)
async def test_a_recording_is_given_from_where_the_player_wants(
    office: Office, asked: str, status: int, first: int, last: int
) -> None:
    path, sha256, _ = await recorded_call(office)
    answer = await office.client.get(path, headers={"Range": asked} if asked else {})
    assert (answer.status_code, answer.content == SOUND[first : last + 1]) == (status, True)
    assert answer.headers["content-length"] == str(last - first + 1)
    assert answer.headers.get("content-range") == (f"bytes {first}-{last}/{len(SOUND)}" if status == 206 else None)
    head = {name: answer.headers[name] for name in ("content-type", "etag", "accept-ranges", "cache-control")}
    assert head == {
        "content-type": "audio/mpeg", "etag": f'"{sha256}"', "accept-ranges": "bytes",
        "cache-control": "private, no-store",
    }  # fmt: skip


async def test_a_range_beyond_the_end_is_refused_and_nobody_has_listened(office: Office) -> None:
    path, _, _ = await recorded_call(office)
    answer = await office.client.get(path, headers={"Range": f"bytes={len(SOUND)}-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(SOUND)}")
    assert answer.headers["content-type"] == "application/problem+json"
    whole = await office.client.get(path, headers={"Range": "bytes=0-4", "If-Range": '"older"'})
    assert (whole.status_code, len(whole.content)) == (200, len(SOUND))
    assert len(await listenings(office)) == 1


async def test_looking_at_the_headers_is_not_listening(office: Office) -> None:
    path, _, _ = await recorded_call(office)
    answer = await office.client.head(path)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(SOUND)), b"")
    assert await listenings(office) == []


async def test_who_listened_is_recorded_once_for_all_requests_of_a_player(office: Office) -> None:
    path, _, call = await recorded_call(office)
    admin = httpx.Headers({"Authorization": f"Bearer {await office.token_of('chef@okno.example', 'admin')}"})
    asked = [office.client.get(path, headers={"Range": f"bytes={start}-"}) for start in range(0, 900_000, 200_000)]
    await asyncio.gather(*asked)
    assert (await office.client.get(path, headers=admin)).status_code == 200
    attachment = path.rpartition("/")[2]
    assert await listenings(office) == [("Olga", attachment), ("chef", attachment)]
    await office.api.context.views.reach(10**9, 0.2)
    refused = await office.client.get("/api/v1/recordings/heard")
    assert refused.status_code == 403
    of_it = {"message_id": str(call.message_id)}
    found = (await office.client.get("/api/v1/recordings/heard", params=of_it, headers=admin)).json()["items"]
    told = [(each["operator"]["name"], each["name"], each["customer_id"]) for each in found]
    assert told == [(name, "recording.mp3", str(call.customer_id)) for name in ("chef", "Olga")]
    of_another = {"message_id": str(uuid4())}
    nothing = (await office.client.get("/api/v1/recordings/heard", params=of_another, headers=admin)).json()
    assert nothing == {"items": [], "next": None}
    assert (await office.client.get("/api/v1/recordings/heard?message_id=7", headers=admin)).status_code == 422


async def test_listening_again_later_is_another_listening(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _, _ = await recorded_call(office)
    await office.client.get(path)
    monkeypatch.setattr(heard, "ONE_LISTENING", heard.ONE_LISTENING * 0)
    await office.client.get(path)
    assert len(await listenings(office)) == 2


async def test_a_stranger_hears_nothing_and_leaves_no_trace(office: Office) -> None:
    path, _, _ = await recorded_call(office)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Range": "bytes=0-"}):
        assert (await office.browser.get(path, headers=headers)).status_code == 401
    assert await listenings(office) == []


async def test_a_file_that_is_no_recording_is_given_without_a_record(office: Office) -> None:
    sha256 = await office.blobs.put(b"0123456789")
    (message,) = await office.receive(inbound(files=(FileRef(sha256, 10, "a.txt", "text/plain"),)))
    items: list[Any] = (await office.get(f"/conversations/{message.conversation_id}/messages"))["items"]
    answer = await office.client.get(items[0]["attachments"][0]["url"], headers={"Range": "bytes=2-3"})
    assert (answer.status_code, answer.content) == (206, b"23")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert await listenings(office) == []


async def test_an_empty_file_is_given_as_it_is(office: Office) -> None:
    sha256 = await office.blobs.put(b"")
    (message,) = await office.receive(inbound(files=(FileRef(sha256, 0, "a.txt", "text/plain"),)))
    items: list[Any] = (await office.get(f"/conversations/{message.conversation_id}/messages"))["items"]
    answer = await office.client.get(items[0]["attachments"][0]["url"])
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


async def test_who_listened_stands_in_the_log_for_admins_only(office: Office) -> None:
    path, _, _ = await recorded_call(office)
    await office.client.get(path)

    async def asked(role: Any, path: str) -> Any:
        headers = {"Authorization": f"Bearer {await office.token_of(f'{role}{len(path)}@okno.example', role)}"}
        return await office.browser.get(f"/api/v1{path}", headers=headers)

    log = "/events?after=0&type=RecordingHeard"
    (heard,) = (await asked("admin", log)).json()["items"]
    why = f"/events/{heard['position']}/why"
    assert (await asked("admin", why)).status_code == 200
    for role in ("analyst", "operator"):
        assert (await asked(role, log)).json()["items"] == []
        assert (await asked(role, why)).status_code == 404
