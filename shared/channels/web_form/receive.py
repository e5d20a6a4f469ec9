"""The addresses of web forms: posts, refused before anything is stored or answered once durable; script and page."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from shared.channels.web_form.answers import Accepted, check_passed, refused_page
from shared.channels.web_form.body import BODY_BYTES, Submission, read, too_large
from shared.channels.web_form.once import Repeats, given_key, key_of, under_given_key
from shared.channels.web_form.page import page, script
from shared.channels.web_form.parse import says_something
from shared.channels.web_form.platforms import TILDA_CHECK
from shared.channels.web_form.rate import RateLimit, network
from shared.channels.web_form.site import Site, site_of
from shared.clock import now
from shared.connector import BadInput, Channel, Inlet, Webhook
from shared.parsed import RawItem

POSTS, SHOWN = "/in/forms/{channel}", "/forms/{channel}"
PATH = (POSTS, f"{SHOWN}.js", SHOWN)
METHODS = {POSTS: ("OPTIONS", "POST"), f"{SHOWN}.js": ("GET", "HEAD"), SHOWN: ("GET", "HEAD")}
"""Forms are posted to one address and shown at others."""
RPC_ID_DIGITS = 100
"""A longer number is no id that anybody gives."""
Headers = Mapping[bytes, bytes]


class FormPosts:
    """Answers posts to all web form channels of this process. `clock` gives the time, `steady` steady seconds."""

    def __init__(self, clock: Callable[[], datetime] = now, steady: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._steady = clock, steady
        self._rate, self._repeats = RateLimit(), Repeats()

    async def __call__(self, request: Request, channel: Channel, inlet: Inlet) -> Response:
        scope, site = request.scope, site_of(channel)
        headers: Headers = dict(scope["headers"])
        if scope.get("path", "").startswith("/forms/"):
            return _shown(request, channel, site, headers)
        if scope["method"] == "POST":
            return await self._post(request, channel.id, site, headers, inlet)
        return Response(status_code=204, headers=site.preflight(_text(headers, b"origin"), _text(headers, b"host")))

    async def _post(self, request: Request, channel_id: UUID, site: Site, headers: Headers, inlet: Inlet) -> Response:
        cors: dict[str, str] = {}
        try:
            cors = site.cors(_text(headers, b"origin"), _text(headers, b"host"))
            submission, item = await self._read(request, headers, channel_id, site)
        except BadInput as refused:
            if _is_browser(headers):
                return refused_page(refused, cors, _text(headers, b"accept-language"))
            refused.headers.update(cors)
            raise
        if submission.fields == TILDA_CHECK:
            return check_passed(cors)
        inbound_id = await inlet.accept(item)
        if _is_browser(headers) and (next_page := site.next_page(submission)):
            return RedirectResponse(next_page, 303, cors)
        return Accepted(inbound_id, cors, _rpc_id(item, submission))

    async def _read(
        self, request: Request, headers: Headers, channel_id: UUID, site: Site
    ) -> tuple[Submission, RawItem]:
        """Return what was posted, and the item to keep. Raises BadInput."""
        client = request.scope["client"]
        remote: str = client[0] if client else ""
        self._admit(channel_id, remote, site)
        body, content_type = await _body(request, headers), _text(headers, b"content-type")
        submission = read(body, content_type)
        if not says_something(submission):
            raise BadInput(422, "Empty form", "The form has no field with a value.")
        at = self._clock()
        if given := given_key(_text(headers, b"idempotency-key") or _text(headers, b"webhook-id")):
            key = under_given_key(given, channel_id, submission)
        else:
            key = self._repeats.first_key(key_of(channel_id, submission, at.timestamp()))
        context = {"content_type": content_type, "remote": remote}
        if page_url := _text(headers, b"referer") or _text(headers, b"origin"):
            context["page"] = page_url[:500]
        media_type = content_type.partition(";")[0].strip().lower()
        return submission, RawItem(body, media_type, at, key, context)

    def _admit(self, channel_id: UUID, remote: str, site: Site) -> None:
        at = self._steady()
        if wait := self._rate.wait_seconds((channel_id, network(remote)), site.rate_limit, at):
            raise _too_many(wait, f"No more than {site.rate_limit} posts a minute are taken from one address.")
        if wait := self._rate.wait_seconds(channel_id, site.form_rate_limit, at):
            raise _too_many(wait, f"No more than {site.form_rate_limit} posts a minute are taken by this form.")


handle: Webhook = FormPosts()


def refusal_headers(request: Request, channel: Channel) -> Mapping[str, str]:
    """Return the headers by which a page of the channel's origins may read any refusal; none for others."""
    headers: Headers = dict(request.scope["headers"])
    try:
        return site_of(channel).cors(_text(headers, b"origin"), _text(headers, b"host"))
    except BadInput:
        return {}


def _shown(request: Request, channel: Channel, site: Site, headers: Headers) -> Response:
    if request.url.path.endswith(".js"):
        return script(channel, site)
    query = request.query_params
    return page(channel, site, query.get("lang") or _text(headers, b"accept-language"), sent="sent" in query)


def _too_many(wait_seconds: float, detail: str) -> BadInput:
    return BadInput(429, "Too many posts", detail, {"Retry-After": str(math.ceil(wait_seconds))})


def _text(headers: Headers, name: bytes) -> str:
    """Return a header, empty if it is not there; a plain dict, as Starlette's own search costs 1 µs a header."""
    return headers.get(name, b"").decode("latin-1")


def _is_browser(headers: Headers) -> bool:
    return b"text/html" in headers.get(b"accept", b"")


def _rpc_id(item: RawItem, submission: Submission) -> object:
    """Return the id of a JSON-RPC request (Yandex Forms), None for anything else.

    The item is kept by now: no id may spoil the answer.
    """
    if b'"jsonrpc"' not in item.data or not item.media_type.endswith("json"):
        return None
    if "jsonrpc" not in dict(submission.fields):
        return None
    return json.loads(item.data, parse_int=_whole, parse_float=_fraction).get("id")


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits) <= RPC_ID_DIGITS else None


def _fraction(digits: str) -> float | None:
    """JSON has no infinity to be answered with."""
    return number if math.isfinite(number := float(digits)) else None


async def _body(request: Request, headers: Headers) -> bytes:
    """Return the body, never more than BODY_BYTES of it. Raises BadInput, ClientDisconnect."""
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise BadInput(415, "Unsupported encoding", "Post the body without Content-Encoding.")
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size, more = size + len(chunks[-1]), message.get("more_body", False)
        if size > BODY_BYTES:
            raise too_large(f"The post is limited to {BODY_BYTES} bytes.")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
