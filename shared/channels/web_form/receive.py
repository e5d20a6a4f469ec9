"""The webhook of web forms: refuses what it must before anything is stored, answers 200 once the post is durable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.channels.web_form.body import BODY_BYTES, Submission, read, too_large
from shared.channels.web_form.once import Windows, content_hash, given_key
from shared.channels.web_form.parse import says_something
from shared.channels.web_form.rate import RateLimit
from shared.channels.web_form.site import Site, site_of
from shared.clock import now
from shared.connector import BadInput, Channel, Inlet, RawItem, Webhook

PATH = "/in/forms/{channel}"
METHODS = ("POST", "OPTIONS")

_TILDA_CHECK = (("test", "test"),)
"""Tilda posts `test=test` when the address is entered there, and expects 200."""


class FormPosts:
    """Answers posts to all web form channels of this process. `clock` gives the time, `steady` steady seconds."""

    def __init__(self, clock: Callable[[], datetime] = now, steady: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._steady = clock, steady
        self._sites: dict[UUID, Site] = {}
        self._windows, self._rate = Windows(), RateLimit()

    async def __call__(self, request: Request, channel: Channel, inlet: Inlet) -> Response:
        site, headers = self._site(channel), _headers(request)
        origin, host = headers.get("origin", ""), headers.get("host", "")
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=site.preflight(origin, host))
        cors = site.cors(origin, host)
        try:
            submission, item = await self._read(request, headers, channel.id, site)
        except BadInput as refused:
            refused.headers.update(cors)
            raise
        if submission.fields == _TILDA_CHECK:
            return Response(b"ok", media_type="text/plain", headers=cors)
        inbound_id = await inlet.accept(item)
        if site.thanks and "text/html" in headers.get("accept", ""):
            return RedirectResponse(site.next_page(submission), 303, cors)
        answer = b'{"ok":true,"id":"%s"}' % str(inbound_id).encode()
        return Response(answer, media_type="application/json", headers=cors)

    async def _read(
        self, request: Request, headers: Mapping[str, str], channel_id: UUID, site: Site
    ) -> tuple[Submission, RawItem]:
        """Return what was posted, and the item to keep. Raises BadInput."""
        remote = request.client.host if request.client else ""
        self._admit(channel_id, remote, site.rate_limit)
        content_type = headers.get("content-type", "")
        body = await _body(request, headers)
        submission = read(body, content_type)
        if not says_something(submission):
            raise BadInput(422, "Empty form", "The form has no field with a value.")
        at = self._clock()
        key = given_key(headers.get("idempotency-key", ""), submission)
        key = key or self._windows.key(content_hash(channel_id, submission), at.timestamp())
        media_type = content_type.partition(";")[0].strip().lower()
        return submission, RawItem(body, media_type, at, key, {"content_type": content_type, "remote": remote})

    def _admit(self, channel_id: UUID, remote: str, per_minute: int) -> None:
        if wait := self._rate.wait_seconds(channel_id, remote, per_minute, self._steady()):
            detail = f"No more than {per_minute} posts a minute are taken from one address."
            raise BadInput(429, "Too many posts", detail, {"Retry-After": str(math.ceil(wait))})

    def _site(self, channel: Channel) -> Site:
        site = self._sites.get(channel.id)
        if site is None or site.settings != channel.settings:
            site = self._sites[channel.id] = site_of(channel)
        return site


handle: Webhook = FormPosts()


def _headers(request: Request) -> dict[str, str]:
    """Return the headers by name, which ASGI gives in lower case; Starlette's own search costs 1 µs a header."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}


async def _body(request: Request, headers: Mapping[str, str]) -> bytes:
    """Return the body, never more than BODY_BYTES of it. Raises BadInput, ClientDisconnect."""
    if headers.get("content-encoding", "identity") != "identity":
        raise BadInput(415, "Unsupported encoding", "Post the body without Content-Encoding.")
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        if (size := size + len(chunk)) > BODY_BYTES:
            raise too_large(f"The post is limited to {BODY_BYTES} bytes.")
    return b"".join(chunks)
