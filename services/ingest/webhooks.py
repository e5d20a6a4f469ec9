"""The addresses of webhook channels. 2xx is answered by the channel's own handler, after its item is durable.

Everything else is a problem answer of ours; a request that is refused leaves no trace but a count.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from services.ingest.directory import Directory
from services.ingest.metrics import IN_FLIGHT, REFUSED
from shared.connector import BadInput, Channel, Inlet, Kind
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.problems import problem, unavailable, wrong_method
from shared.registry.channels import Registered
from shared.transport.protocol import TransportUnavailable

BODY_BYTES = 10 * 1024 * 1024
MOST_IN_FLIGHT = 2_000
"""Requests answered at once; more are told to come again, so that memory stays bounded."""
REQUEST_SECONDS = 60.0
PAUSED_SECONDS = 60
FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
log = Log("ingest.webhooks")


class Webhooks:
    """Makes the routes and answers their requests."""

    def __init__(
        self,
        directory: Directory,
        load: Callable[[str], Kind],
        inlet: Callable[[Channel, Kind], Inlet],
        body_bytes: int = BODY_BYTES,
        most_in_flight: int = MOST_IN_FLIGHT,
    ) -> None:
        self._directory, self._load, self._make_inlet = directory, load, inlet
        self._body_bytes, self._most_in_flight = body_bytes, most_in_flight
        self._in_flight = 0
        self._inlets: dict[UUID, tuple[Channel, Inlet]] = {}
        IN_FLIGHT.set_function(lambda: self._in_flight)

    def routes(self, kinds: Iterable[str]) -> list[Route]:
        """Return the routes of those kinds that receive by webhook; their modules are loaded for that."""
        found = [self._load(kind) for kind in kinds]
        return [
            Route(path, Endpoint(self, kind.name, kind.module("receive")), name=f"webhook-{kind.name}")
            for kind in found
            if kind.capabilities.receives_by == "webhook"
            for path in _paths(kind.module("receive"))
        ]

    async def answer(self, kind: str, module: ModuleType, request: Request) -> Response:
        """Answer one request; never raises but for a client that has gone."""
        if request.method not in module.METHODS:
            return wrong_method(module.METHODS)
        if self._in_flight >= self._most_in_flight:
            return unavailable("Too many requests are being answered.", 1)
        self._in_flight += 1
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await self._handled(kind, module, request)
        except BadInput as refused:
            return problem(refused.status, refused.title, refused.detail, refused.headers)
        except ClientDisconnect:
            raise
        except Exception as error:
            return _failed(kind, error)
        finally:
            self._in_flight -= 1

    async def _handled(self, kind: str, module: ModuleType, request: Request) -> Response:
        found = await self._find(kind, request.path_params["channel"])
        if found is None:
            return problem(404, "No such channel", "There is no channel with this id or name at this address.")
        if found.state == "paused":
            return unavailable("The channel is paused.", PAUSED_SECONDS)
        _refuse_if_longer(request, self._body_bytes)
        response: Response = await module.handle(request, found.channel, self._inlet(found.channel))
        return response

    async def _find(self, kind: str, id_or_name: str) -> Registered | None:
        """Look again before saying no: the channel may have been added a moment ago."""
        if found := self._directory.known(kind, id_or_name):
            return found
        await self._directory.reread()
        return self._directory.known(kind, id_or_name)

    def _inlet(self, channel: Channel) -> Inlet:
        kept = self._inlets.get(channel.id)
        if kept is None or kept[0] is not channel:
            kept = self._inlets[channel.id] = channel, self._make_inlet(channel, self._load(channel.kind))
        return kept[1]

    def limited(self, receive: Receive) -> Receive:
        """Count a body while it comes in. What it returns raises BadInput 413."""
        left = self._body_bytes

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _too_large(self._body_bytes)
            return message

        return counted


class Endpoint:
    """One webhook address as an ASGI application; every method comes here, so that each refusal is a problem answer."""

    def __init__(self, webhooks: Webhooks, kind: str, module: ModuleType) -> None:
        self._webhooks, self._kind, self._module = webhooks, kind, module

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, self._webhooks.limited(receive))
        try:
            response = await self._webhooks.answer(self._kind, self._module, request)
        except ClientDisconnect:
            return
        if response.status_code >= 400:
            REFUSED.labels(self._kind, str(response.status_code)).inc()
        await response(scope, receive, send)


def _failed(kind: str, error: Exception) -> Response:
    """Nothing was confirmed: tell the caller to come again, or that it is our fault."""
    passing = isinstance(error, TransportUnavailable | DatabaseUnavailable | TimeoutError)
    if passing or (isinstance(error, OSError) and error.errno in FULL_DISK):
        log.warning("request_postponed", kind=kind, reason=f"{type(error).__name__}: {error}")
        return unavailable("Nothing was kept; please send it again.")
    log.error("request_failed", error, kind=kind)
    return problem(500, detail="Nothing was kept. The error is in the server's log.")


def _refuse_if_longer(request: Request, limit: int) -> None:
    for name, value in request.scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise _too_large(limit)


def _too_large(limit: int) -> BadInput:
    return BadInput(413, "Too large", f"The body is limited to {limit} bytes.")


def _paths(receive: ModuleType) -> tuple[str, ...]:
    path: Any = receive.PATH
    return (path,) if isinstance(path, str) else tuple(path)
