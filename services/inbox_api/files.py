"""Attachments and raw items, always as downloads that a browser does not run."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from services.inbox_api import heard
from services.inbox_api.context import Call, answer, read_limited
from services.inbox_api.ranges import Span, Unsatisfiable, span_of
from shared.blobs import Blobs
from shared.database.protocol import Transaction
from shared.domain.events import Raw
from shared.event_store.log import read_positions
from shared.event_store.raw_items import raw_at, raw_item
from shared.read_models.attachments import attachment
from shared.read_models.causes import caused_by
from shared.read_models.heard import Recording
from shared.read_models.heard import recording as recording_of

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*")
FILE_BYTES = 25 * 1024 * 1024
"""What most mail servers take, and more than most chats."""
UPLOAD_SECONDS = 24 * 3600.0
"""For so long a file may wait for the answer that names it, whoever is erased meanwhile."""
NAME_CHARACTERS = 255
EVENTS_OF_AN_ITEM = 200
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-cache",
}
"""A browser asks each time whether a file is still there: of whoever was erased it shows nothing."""


async def get_attachment(call: Call) -> Response:
    """GET /attachments/{id}, or a range of it; that somebody listens to a recording is recorded first."""
    found, recording = await call.context.database.read(partial(_found, id_=call.id()))
    if found is None:
        raise HTTPException(404)
    try:
        size = await call.context.blobs.size(found["sha256"])
    except FileNotFoundError:
        raise HTTPException(404, "the file is not in the blob folder") from None
    headers = {**SAFE, **_download(found["name"]), "ETag": f'"{found["sha256"]}"', "Accept-Ranges": "bytes"}
    if recording is not None:
        headers["Cache-Control"] = "private, no-store"  # what a browser kept would be heard without our knowing
    asked = call.request.headers
    if recording is None and headers["ETag"] in _tags(asked.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    try:
        span = span_of(asked.get("range", ""), asked.get("if-range", ""), headers["ETag"], size)
    except Unsatisfiable as error:
        raise HTTPException(416, "no byte of this range is there", {"Content-Range": str(error)}) from None
    if call.request.method == "HEAD":
        return Response(
            headers={**headers, "Content-Length": str(size), "Content-Type": _media_type(found["media_type"])}
        )
    if recording is not None:
        await heard.note(call, recording)
    return _bytes_of(call.context.blobs, found, span, size, headers)


def _found(tx: Transaction, id_: UUID) -> tuple[dict[str, Any] | None, Recording | None]:
    return attachment(tx, id_), recording_of(tx, id_)


def _tags(if_none_match: str) -> list[str]:
    """Weak ones are as good (RFC 9110, section 13.1.2)."""
    return [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]


def _bytes_of(
    blobs: Blobs, found: dict[str, Any], span: Span | None, size: int, headers: dict[str, str]
) -> StreamingResponse:
    part = span or Span(0, size - 1)
    headers = {**headers, "Content-Length": str(part.size)}
    if span is not None:
        headers["Content-Range"] = f"bytes {span.first}-{span.last}/{size}"
    media_type = _media_type(found["media_type"])
    content = blobs.read(found["sha256"], part.first, part.last + 1)
    return StreamingResponse(content, 206 if span else 200, headers, media_type)


async def upload(call: Call) -> Response:
    """POST /files?name=NAME, the bytes as the body: keep a file for a reply, which then names it by its sha256."""
    name = call.request.query_params.get("name", "").strip() or "file"
    if len(name) > NAME_CHARACTERS:
        raise HTTPException(422, f"a file's name has up to {NAME_CHARACTERS} characters")
    data = await read_limited(call.request, FILE_BYTES)
    media_type = _media_type(call.request.headers.get("content-type", "").partition(";")[0].strip())
    sha256 = await call.context.blobs.put(data, UPLOAD_SECONDS)
    return answer({"sha256": sha256, "size": len(data), "name": name, "media_type": media_type}, 201)


async def get_raw(call: Call) -> Response:
    """GET /api/v1/raw/{position}: the item as the channel gave it, by the position of its event."""
    text = call.request.path_params["position"]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise HTTPException(404)
    raw, data = await call.context.database.read(partial(_raw, position=int(text)))
    if data is None:
        if raw is None:
            raise HTTPException(404)
        try:
            data = await call.context.blobs.get(raw.sha256)
        except FileNotFoundError:
            raise HTTPException(404, "the item is not in the blob folder") from None
    name = f"okno-{text}.raw"
    return Response(data, media_type="application/octet-stream", headers={**SAFE, **_download(name)})


def _raw(tx: Transaction, position: int) -> tuple[Raw | None, bytes | None]:
    raw, data = raw_at(tx, position), raw_item(tx, position)
    return raw, _with_another(tx, position, raw.sha256) if raw is not None and data is None else data


def _with_another(tx: Transaction, position: int, sha256: str) -> bytes | None:
    """Return bytes that are kept with another event of the same item: one that deletes several messages, say."""
    (recorded,) = read_positions(tx, [position])
    others = caused_by(tx, recorded.cause, EVENTS_OF_AN_ITEM) if recorded.cause is not None else []
    kept = (raw_item(tx, other) for other in others)
    return next((data for data in kept if data is not None and hashlib.sha256(data).hexdigest() == sha256), None)


def _media_type(given: str) -> str:
    """Return the type only if it can stand in a header (RFC 6838, section 4.2: restricted names)."""
    return given if _MEDIA_TYPE.fullmatch(given) else "application/octet-stream"


def _download(name: str) -> dict[str, str]:
    """RFC 6266: the name in UTF-8, percent-encoded, so that no character can end the header."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
