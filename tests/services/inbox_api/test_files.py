"""Files of messages and raw items: downloads that no browser runs."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote

from shared.contracts.inbound import FileRef
from shared.read_models.entries import attachment_id
from tests.examples import inbound
from tests.services.inbox_api.office import Office


async def test_an_attachment_is_a_download_that_no_browser_runs(office: Office) -> None:
    sha256 = await office.blobs.put(b"<script>alert(1)</script>")
    names = ['a".html\r\nX-Evil: 1', "счёт № 1; х.pdf", "../../etc/passwd", "", "a" * 300]
    types = ["text/html", "text/html\r\nX-Evil: 1", "ünicode/x", "", 'image/svg+xml; charset="x"']
    files = [FileRef(sha256, 25, name, kind) for name, kind in zip(names, types, strict=True)]
    (message,) = await office.receive(inbound(files=tuple(files)))
    for index, name in enumerate(names):
        answer = await office.client.get(f"/api/v1/attachments/{attachment_id(message.message_id, index)}")
        assert (answer.status_code, answer.content) == (200, b"<script>alert(1)</script>")
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith("attachment; filename*=UTF-8''")
        assert unquote(disposition.removeprefix("attachment; filename*=UTF-8''")) == name
        assert disposition.isascii()
        assert disposition.isprintable()
        assert "x-evil" not in answer.headers
        assert "\r" not in answer.headers["content-type"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


async def test_what_a_browser_has_kept_of_an_attachment_is_good_only_while_the_file_is_there(office: Office) -> None:
    sha256 = await office.blobs.put(b"a file")
    (message,) = await office.receive(inbound(files=(FileRef(sha256, 6, "a", "text/plain"),)))
    url = f"/api/v1/attachments/{attachment_id(message.message_id, 0)}"
    first = await office.client.get(url)
    assert first.headers["cache-control"] == "private, no-cache"
    for known, status in ((f'"x", W/{first.headers["etag"]}', 304), ('"x"', 200)):
        again = await office.client.get(url, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (status, b"" if status == 304 else b"a file")
    office.blobs.remove_now(office.blobs.name(sha256), float("inf"))
    assert (await office.client.get(url, headers={"If-None-Match": first.headers["etag"]})).status_code == 404


async def test_an_attachment_whose_blob_is_lost_is_not_found(office: Office) -> None:
    (message,) = await office.receive(inbound(files=(FileRef("ab" * 32, 1, "a", "text/plain"),)))
    answer = await office.client.get(f"/api/v1/attachments/{attachment_id(message.message_id, 0)}")
    assert answer.json()["detail"] == "the file is not in the blob folder"


async def test_raw_items_come_from_the_table_or_from_the_blobs(office: Office) -> None:
    large, item = b"x" * 100_000, inbound("small")
    kept = replace(item.raw, sha256=await office.blobs.put(large), size=len(large), data=None)
    lost = replace(kept, sha256="ab" * 32)
    messages = await office.receive(item, inbound(raw=kept), inbound(raw=lost))
    urls = []
    for message in messages:
        page = await office.get(f"/conversations/{message.conversation_id}/messages")
        urls.append(page["items"][0]["raw"]["url"])
    small, big, nothing = [await office.client.get(url) for url in urls]
    assert (small.content, small.headers["content-type"]) == (b"small", "application/octet-stream")
    assert (big.content, nothing.status_code) == (large, 404)
    assert (await office.client.get("/api/v1/raw/1")).status_code == 404


async def test_a_nul_in_what_is_written_stops_no_table(office: Office) -> None:
    """PostgreSQL stores it in no text: the read models would stop at such an event."""
    (message,) = await office.receive(inbound())
    note = await office.post(f"/conversations/{message.conversation_id}/notes", {"text": "a\0b"}, 201)
    assert note["text"] == "a\ufffdb"


async def test_raw_bytes_that_are_kept_with_another_event_of_the_item_are_found(office: Office) -> None:
    """So the closing of a conversation once had those of spam."""
    (message,) = await office.receive(inbound("spam", nature="spam"))
    await office.database.write(lambda tx: tx.run("UPDATE raw_items SET position = position + 2"))
    page = await office.get(f"/conversations/{message.conversation_id}/messages")
    found = await office.client.get(page["items"][0]["raw"]["url"])
    assert (found.status_code, found.content) == (200, b"spam")
