"""What the routes of the API work with, and how a request asks for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import msgspec
import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.inbox_api.views import Views
from shared.blobs import Blobs
from shared.clock import from_text, now
from shared.contracts.codec import without_nul
from shared.database.protocol import Database, Transaction
from shared.domain.events import Actor
from shared.event_store.mapper import About
from shared.event_store.session import Session
from shared.event_store.store import EventStore
from shared.registry.operators import Operator, Operators
from shared.registry.subscriptions import Subscriptions

T = TypeVar("T")
BODY_BYTES = 1024 * 1024
LARGEST_PAGE = 500
LARGEST_NUMBER = 2**62
"""Neither it nor what is a little beyond it is too large for a column of a database."""


@dataclass(frozen=True, slots=True)
class Context:
    database: Database
    store: EventStore
    operators: Operators
    blobs: Blobs
    views: Views
    subscriptions: Subscriptions
    public_url: str = ""
    """Where browsers reach this Okno, as it was set; empty: links say only the path."""


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    request: Request
    context: Context
    operator: Operator

    def id(self, name: str = "id") -> UUID:
        """Return an id from the path. Raises 404 for what is no UUID."""
        try:
            return UUID(self.request.path_params[name])
        except ValueError:
            raise HTTPException(404) from None

    def limit(self) -> int:
        return self.number("limit", 50, 1, LARGEST_PAGE) or 50

    def cursor(self) -> int | None:
        return self.number("cursor", None, 0, LARGEST_NUMBER)

    def number(self, name: str, default: int | None, least: int, most: int) -> int | None:
        """Return a whole number from the query. Raises 422 for anything else or out of range."""
        text = self.request.query_params.get(name)
        if not text:
            return default
        if not is_position(text) or not least <= int(text) <= most:
            raise HTTPException(422, f"{name} must be a whole number from {least} to {most}")
        return int(text)

    def descending(self) -> bool:
        order = self.request.query_params.get("order", "asc")
        if order not in ("asc", "desc"):
            raise HTTPException(422, "order must be asc or desc")
        return order == "desc"

    def query_id(self, name: str) -> UUID | None:
        """Return an id from the query, None when it is not asked. Raises 422 for what is no UUID."""
        text = self.request.query_params.get(name)
        return id_of(text, name) if text else None

    @property
    def actor(self) -> Actor:
        """Who does what this request asks for."""
        return Actor("operator", str(self.operator.id), self.operator.name)

    def about(self, cause: UUID | None = None) -> About:
        """Return when and by whom what this request asks for happens."""
        return About(now(), self.actor, cause)

    def only_admins(self, why: str = "only admins do this") -> None:
        """Raises 403 with `why` for everybody else."""
        if self.operator.role != "admin":
            raise HTTPException(403, why)

    async def record(self, decide: Callable[[Session, Transaction], None]) -> None:
        """Decide, and wait until the read models show it, so that the answer does. Raises what `decide` does."""
        handled = await self.context.store.record(decide)
        await self.context.views.reach(handled.position)

    async def body(self, shape: type[T]) -> T:
        """Return the JSON body as `shape`. Raises 413, 400 or 422 with what is wrong."""
        return await read_body(self.request, shape)


async def read_body(request: Request, shape: type[T]) -> T:
    """Return the JSON body as `shape`. Raises 413, 400 or 422 with what is wrong."""
    data = without_nul(await read_limited(request))
    try:
        return msgspec.json.decode(data or b"{}", type=shape)
    except msgspec.ValidationError as error:
        raise HTTPException(422, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, f"not JSON: {error}") from None


async def read_limited(request: Request, most_bytes: int = BODY_BYTES) -> bytes:
    """Return the body. Raises 413 beyond 1 MB or what is allowed, before it is buffered."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most_bytes:
            raise HTTPException(413, f"a request body may have {most_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def id_of(text: str, name: str) -> UUID:
    """Return an id that was given as `name`. Raises 422."""
    try:
        return UUID(text)
    except ValueError:
        raise HTTPException(422, f"{name} must be a UUID") from None


def is_position(text: str) -> bool:
    """Return whether a text is a whole number that a log position could be."""
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_NUMBER


def time_of(text: str, name: str) -> str:
    """Return an RFC 3339 time as it was given. Raises 422."""
    try:
        from_text(text.replace(" ", "+"))
    except ValueError:
        raise HTTPException(422, f"{name} must be a time such as 2026-11-21T14:05:00Z") from None
    return text.replace(" ", "+")


def answer(body: object, status: int = 200) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def listed(items: list[dict[str, object]], limit: int, cursor: str = "position") -> Response:
    """Return a page as {"items", "next"}: a full page has a next one, from its last item's cursor field."""
    following = str(items[-1][cursor]) if len(items) == limit and items else None
    return answer({"items": items, "next": following})


Handler = Callable[[Call], Awaitable[Response]]
