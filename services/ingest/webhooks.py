"""The addresses of webhook channels. 2xx is answered by the channel's own handler, after its item is durable.

Everything else is a problem answer of ours; a request that is refused leaves no trace but a count.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from types import ModuleType
from typing import Any
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from services.ingest.directory import Directory
from services.ingest.metrics import IN_FLIGHT, REFUSED
from services.ingest.waiting import Waiting
from shared.connector import BadInput, Channel, Inlet, Kind
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.parsed import RawItem
from shared.problems import problem, unavailable, wrong_method
from shared.registry.channels import Registered
from shared.said import said_with_kind
from shared.transport.protocol import TransportUnavailable

BODY_BYTES = 10 * 1024 * 1024
MOST_IN_FLIGHT = 2_000
"""Requests answered at once; more are told to come again, so that memory stays bounded."""
MOST_HELD_BYTES = 256 * 1024 * 1024
"""Bodies of all requests together."""
MOST_ACCEPTING = 500
"""Items on their way to the log at once: more would only make every answer slower, not the log faster."""
REQUEST_SECONDS = 60.0
ACCEPT_SECONDS = 4.8
"""Tilda, and others, give up after 5 s: what is not durable by then is asked for again, and has the same key."""
PAUSED_SECONDS, OVERLOAD_SECONDS = 60, 1
FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
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
        self._answering, self._accepting = Waiting(REQUEST_SECONDS), Waiting(ACCEPT_SECONDS)
        self._inlets: dict[UUID, tuple[Channel, Inlet]] = {}
        self.held_bytes = 0
        IN_FLIGHT.set_function(lambda: len(self._answering))

    def routes(self, kinds: Iterable[str]) -> list[Route]:
        """Return the routes of those kinds that receive by webhook; their modules are loaded for that."""
        found = [self._load(kind) for kind in kinds]
        return [
            Route(path, Endpoint(self, kind.name, kind.module("receive"), path), name=f"webhook-{kind.name}")
            for kind in found
            if kind.capabilities.receives_by in ("webhook", "both")
            for path in _paths(kind.module("receive"))
        ]

    async def answer(self, kind: str, module: ModuleType, methods: Collection[str], request: Request) -> Response:
        """Answer one request; never raises but for a client that has gone."""
        allowed = request.method in methods
        response = await self._answered(kind, module, request) if allowed else wrong_method(methods)
        if response.status_code >= 400 and (headers := self._refusal_headers(kind, module, request)):
            response.headers.update(headers)
        return response

    def _refusal_headers(self, kind: str, module: ModuleType, request: Request) -> Mapping[str, str]:
        """Return what a refusal carries too where it is not the channel's own: without it no script could read it."""
        found = self._directory.known(kind, request.path_params["channel"])
        made = getattr(module, "refusal_headers", None)
        headers: Mapping[str, str] = made(request, found.channel) if made and found else {}
        return headers

    async def _answered(self, kind: str, module: ModuleType, request: Request) -> Response:
        try:
            return await self._answering.for_(self._handled(kind, module, request))
        except BadInput as refused:
            return problem(refused.status, refused.title, refused.detail, refused.headers)
        except ClientDisconnect:
            raise
        except Exception as error:
            return _failed(kind, error)

    def full(self) -> bool:
        """Return whether another request would only have to wait."""
        return len(self._accepting) >= MOST_ACCEPTING or len(self._answering) >= self._most_in_flight

    async def _handled(self, kind: str, module: ModuleType, request: Request) -> Response:
        id_or_name = request.path_params["channel"]
        found = self._directory.known(kind, id_or_name) or await self._find_anew(kind, id_or_name)
        if found is None:
            return problem(404, "No such channel", "There is no channel with this id or name at this address.")
        if found.state == "paused":
            return unavailable("The channel is paused.", PAUSED_SECONDS)
        _refuse_if_longer(request, self._body_bytes)
        response: Response = await module.handle(request, found.channel, self._inlet(found.channel))
        return response

    async def _find_anew(self, kind: str, id_or_name: str) -> Registered | None:
        """Look again before saying no: the channel may have been added a moment ago."""
        await self._directory.reread()
        return self._directory.known(kind, id_or_name)

    def _inlet(self, channel: Channel) -> Inlet:
        kept = self._inlets.get(channel.id)
        if kept is None or kept[0] is not channel:
            made = self._make_inlet(channel, self._load(channel.kind))
            kept = self._inlets[channel.id] = channel, InTime(made, self._accepting)
        return kept[1]

    def body(self, receive: Receive) -> Body:
        return Body(receive, self, self._body_bytes)


class InTime:
    """An inlet that has ACCEPT_SECONDS to keep an item."""

    def __init__(self, inlet: Inlet, accepting: Waiting) -> None:
        self._inlet, self._accepting = inlet, accepting
        self.cursor, self.public_url = inlet.cursor, inlet.public_url

    def accept(self, item: RawItem) -> Coroutine[Any, Any, UUID]:
        return self._accepting.for_(self._inlet.accept(item))

    def report(self, *, lag: int | None = None, problem: str | None = None) -> None:
        self._inlet.report(lag=lag, problem=problem)


class Body:
    """Counts a body while it comes in, and with those of all other requests. Raises BadInput 413 and 503."""

    __slots__ = ("_limit", "_receive", "_taken", "_webhooks")

    def __init__(self, receive: Receive, webhooks: Webhooks, limit: int) -> None:
        self._receive, self._webhooks, self._limit, self._taken = receive, webhooks, limit, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        size = len(message.get("body", b""))
        self._taken += size
        self._webhooks.held_bytes += size
        if self._taken > self._limit:
            raise _too_large(self._limit)
        if self._webhooks.held_bytes > MOST_HELD_BYTES:
            raise BadInput(
                503, "Try again later", "Too much is being received.", {"Retry-After": str(OVERLOAD_SECONDS)}
            )
        return message

    def release(self) -> None:
        self._webhooks.held_bytes -= self._taken


class Endpoint:
    """One webhook address as an ASGI application; every method comes here, so that each refusal is a problem answer."""

    def __init__(self, webhooks: Webhooks, kind: str, module: ModuleType, path: str) -> None:
        self._webhooks, self._kind, self._module = webhooks, kind, module
        self._methods = _methods(module, path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._webhooks.full():
            REFUSED.labels(self._kind, "503").inc()
            await _FULL(scope, receive, send)
            return
        body = self._webhooks.body(receive)
        try:
            response = await self._webhooks.answer(self._kind, self._module, self._methods, Request(scope, body))
        except ClientDisconnect:
            return
        finally:
            body.release()
        if response.status_code >= 400:
            REFUSED.labels(self._kind, str(response.status_code)).inc()
        await response(scope, receive, send)


_FULL = unavailable("Too many requests are being answered.", OVERLOAD_SECONDS)
"""Made once: it is given when there is no time to lose."""


def _failed(kind: str, error: Exception) -> Response:
    """Nothing was confirmed: tell the caller to come again, or that it is our fault."""
    passing = isinstance(error, TransportUnavailable | DatabaseUnavailable | TimeoutError)
    if passing or (isinstance(error, OSError) and error.errno in FULL_DISK):
        log.warning("request_postponed", kind=kind, reason=said_with_kind(error))
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


def _methods(receive: ModuleType, path: str) -> Collection[str]:
    """Return what is taken at an address, which a refusal of anything else names (RFC 9110, 15.5.6)."""
    methods: Mapping[str, Collection[str]] | Collection[str] = receive.METHODS
    return methods[path] if isinstance(methods, Mapping) else methods
