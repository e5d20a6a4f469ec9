"""Attachments and raw items, always as downloads that a browser does not run."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from services.inbox_api.context import Call
from shared.event_store.raw_items import raw_item
from shared.read_models.attachments import attachment

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, max-age=31536000, immutable",
}


async def get_attachment(call: Call) -> Response:
    found = await call.context.database.read(partial(attachment, id_=call.id()))
    if found is None:
        raise HTTPException(404)
    path = call.context.blobs.path(found["sha256"])
    if not path.exists():
        raise HTTPException(404, "the file is not in the blob folder")
    return FileResponse(path, media_type=found["media_type"], headers={**SAFE, **_download(found["name"])})


async def get_raw(call: Call) -> Response:
    """GET /api/v1/raw/{sha256}: the item as the channel gave it."""
    sha256 = call.request.path_params["sha256"]
    data = await call.context.database.read(partial(raw_item, sha256=sha256))
    if data is None:
        try:
            data = await call.context.blobs.get(sha256)
        except FileNotFoundError:
            raise HTTPException(404) from None
    return Response(data, media_type="application/octet-stream", headers={**SAFE, **_download(f"{sha256[:16]}.raw")})


def _download(name: str) -> dict[str, str]:
    """RFC 6266: the name in UTF-8, percent-encoded, so that no character can end the header."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
