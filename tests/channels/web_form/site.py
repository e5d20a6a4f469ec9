"""A form channel on a small server of its own: posts go through Starlette, an inlet of the test takes the items."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.channels.web_form import receive
from shared.channels.web_form.parse import parse
from shared.connector import BadInput, Channel, load
from shared.contracts.inbound import inbound_id
from shared.parsed import Parsed, RawItem

CHANNEL_ID = UUID("6f7b0a4e-0000-4000-8000-000000000001")
MAILBOX = UUID("6f7b0a4e-0000-4000-8000-000000000002")
FORM = {"name": "Иван", "email": "ivan@example.com", "message": "Здравствуйте"}
START = datetime(2026, 11, 21, 12, 5, tzinfo=UTC)


class NotDurable(Exception):
    """What an inlet raises that could not keep an item."""


class KeepingInlet:
    """Keeps items; `broken` makes it fail as a full disk would."""

    def __init__(self) -> None:
        self.items: list[RawItem] = []
        self.broken = False

    async def accept(self, item: RawItem) -> UUID:
        if self.broken:
            raise NotDurable
        self.items.append(item)
        return inbound_id(CHANNEL_ID, item.key)

    def report(self, *, lag: int | None = None, problem: str | None = None) -> None:
        raise AssertionError("a form reports nothing")


class Site:
    """One channel, its inlet and a client whose clock the test moves."""

    def __init__(self, **settings: str) -> None:
        given = {"reply_channel": str(MAILBOX), "rate_limit": "0", **settings}
        self.channel = Channel(CHANNEL_ID, "web_form", "Site", load("web_form").complete(given))
        self.inlet, self.at, self.remote = KeepingInlet(), START, "127.0.0.1"
        self._handle = receive.FormPosts(lambda: self.at, lambda: self.at.timestamp())
        self.app = Starlette(routes=[Route(path, self._answer, methods=receive.METHODS[path]) for path in receive.PATH])

    def later(self, **delta: float) -> None:
        self.at += timedelta(**delta)

    async def post(self, *, headers: Mapping[str, str] | None = None, **body: object) -> httpx.Response:
        return await self.request("POST", headers=headers, **body)

    async def request(
        self, method: str, headers: Mapping[str, str] | None = None, path: str = "/in/forms", **body: object
    ) -> httpx.Response:
        async with self._client() as client:
            return await client.request(method, f"{path}/{CHANNEL_ID}", headers=headers, **body)  # type: ignore[arg-type]

    async def get(self, suffix: str = "", headers: Mapping[str, str] | None = None) -> httpx.Response:
        """The hosted page, or what its address with a suffix is."""
        async with self._client() as client:
            return await client.get(f"/forms/{CHANNEL_ID}{suffix}", headers=headers)

    def parsed(self) -> list[Parsed]:
        return [parse(item, self.channel) for item in self.inlet.items]

    @asynccontextmanager
    async def _client(self):  # type: ignore[no-untyped-def]
        transport = httpx.ASGITransport(self.app, client=(self.remote, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://okno.test") as client:
            yield client

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handle(request, self.channel, self.inlet)  # type: ignore[arg-type]
        except BadInput as refused:
            problem = {"title": refused.title, "status": refused.status, "detail": refused.detail}
            return JSONResponse(problem, refused.status, refused.headers, "application/problem+json")
        except NotDurable:
            return Response(status_code=503)
