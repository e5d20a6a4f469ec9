"""GET /api/v1/stream: server-sent events, resumable by Last-Event-ID, which is a log position."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from services.inbox_api.context import Call, is_position
from services.inbox_api.session import signed_in
from services.inbox_api.views import Views
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.said import said

ALIVE_SECONDS = 10.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
log = Log("inbox_api")


async def stream(call: Call) -> Response:
    """Answer with every change after the position the browser knows; without one, from now on."""
    text = call.request.headers.get("last-event-id") or call.request.query_params.get("after") or ""
    if text and not is_position(text):
        raise HTTPException(422, "Last-Event-ID must be a log position")
    if call.request.method == "HEAD":  # nothing that is asked on the same connection could follow an endless answer
        return Response(headers=HEADERS, media_type="text/event-stream")
    views = call.context.views
    await views.started.wait()  # before that, every browser would seem to be ahead
    await views.advance()
    begin = int(text) if text else views.position
    frames = _frames(views, begin, partial(_is_signed_in, call), is_resumed=bool(text))
    return StreamingResponse(frames, media_type="text/event-stream", headers=HEADERS)


async def _is_signed_in(call: Call) -> bool:
    try:
        await signed_in(call.request, call.context)
    except HTTPException:
        return False
    return True


async def _frames(
    views: Views, position: int, is_signed_in: Callable[[], Awaitable[bool]], *, is_resumed: bool
) -> AsyncIterator[bytes]:
    """Whoever has signed out meanwhile is told nothing more, at the latest after ALIVE_SECONDS.

    When other tables are shown (an erasure, a rebuild) everything on screen has to be read again: no event says what.
    """
    loop = asyncio.get_running_loop()
    asked_at, switches = loop.time(), views.switches
    views.watchers += 1
    try:
        yield b"retry: 1000\n\n" + await _alive(views, position)
        # of a log that was restored from an older copy, or what is on screen may be of the tables that were live before
        if position > views.position or (is_resumed and position <= views.switched_at):
            position = views.position
            yield _event("resync", position, {"position": position})
        while not views.ended:
            moved = await views.reach(position + 1, ALIVE_SECONDS, partial(_is_other, views, switches))
            if loop.time() - asked_at >= ALIVE_SECONDS:
                if not await is_signed_in():
                    return
                asked_at = loop.time()
            if views.switches != switches:
                position, switches = views.position, views.switches
                yield _event("resync", position, {"position": position})
            elif moved:
                changes = await views.after(position)
                if changes is None:
                    position = views.position
                    yield _event("resync", position, {"position": position})
                elif changes:
                    position = changes[-1].position
                    yield b"".join(change.frame for change in changes)
                else:
                    await asyncio.sleep(0.05)  # the position moved, its changes are being read
            elif not views.ended:
                yield await _alive(views, position)
    except DatabaseUnavailable as error:  # the answer has begun: it ends, the browser comes again and is told
        log.warning("stream_ended", error=said(error)[:500])
    finally:
        views.watchers -= 1


def _is_other(views: Views, switches: int) -> bool:
    return views.ended or views.switches != switches


async def _alive(views: Views, position: int) -> bytes:
    """The id is how far this stream is: a browser that has heard of no change yet resumes from there too."""
    data = {"position": views.position, "behind_seconds": round(await views.behind_seconds(), 3)}
    return _event("alive", position, data)


def _event(name: str, position: int, data: object) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (position, name.encode(), orjson.dumps(data))
