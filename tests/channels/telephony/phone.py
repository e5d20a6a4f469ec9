"""A telephony channel on a small server of its own, and an inlet that keeps what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.channels.telephony import receive
from shared.channels.telephony.parse import parse
from shared.connector import BadInput, Channel, load
from shared.contracts.inbound import inbound_id
from shared.parsed import Parsed, RawItem

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
ADDRESS = "/in/telephony/1"


def channel(provider: str, **settings: str) -> Channel:
    """Return a channel with all its settings, as they are stored."""
    return Channel(UUID(int=1), "telephony", "Phone", load("telephony").complete({"provider": provider, **settings}))


class NotDurable(Exception):
    """What an inlet raises that could not keep an item."""


class Phone:
    """Takes a provider's webhooks at ADDRESS of `base`."""

    def __init__(self, channel: Channel, at: datetime = AT, base: str = "http://okno.test", public: str = "") -> None:
        self.channel, self.base, self.public_url = channel, base, public
        self.items: list[RawItem] = []
        self.broken = False
        self._handle = receive.CallWebhooks(lambda: at)
        self._app = Starlette(routes=[Route(path, self._answer, methods=["GET", "POST"]) for path in receive.PATH])

    @property
    def heard(self) -> list[Parsed]:
        return [parse(item, self.channel) for item in self.items]

    async def accept(self, item: RawItem) -> UUID:
        if self.broken:
            raise NotDurable
        self.items.append(item)
        return inbound_id(self.channel.id, item.key)

    async def post(self, body: bytes, headers: Mapping[str, str], below: str = "") -> httpx.Response:
        return await self.ask("POST", ADDRESS + below, body, headers)

    async def ask(
        self, method: str, address: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url=self.base) as client:
            return await client.request(method, address, content=body, headers=headers)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handle(request, self.channel, self)  # type: ignore[arg-type]
        except BadInput as refused:
            return JSONResponse({"detail": refused.detail}, refused.status, refused.headers)
        except NotDurable:
            return Response(status_code=503)
