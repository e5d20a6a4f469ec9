"""The inbox API: routes, authentication, errors, and the task that keeps its view of the log current."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.inbox_api import openapi
from services.inbox_api.context import Call, Context, Handler
from services.inbox_api.routes import OPEN, PREFIX, SIGNED_IN
from services.inbox_api.session import signed_in
from services.inbox_api.views import Views
from services.inbox_api.window import window_routes
from shared.blobs import Blobs
from shared.database.protocol import Conflict, Database, DatabaseUnavailable
from shared.domain.errors import NoSuchThing, Refused
from shared.event_store.mapper import EventUnreadable
from shared.event_store.store import EventStore
from shared.problems import problem, wrong_method
from shared.registry.operators import Operators
from shared.registry.subscriptions import Subscriptions

Endpoint = Callable[[Request], Awaitable[Response]]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class InboxApi:
    """`routes` for a Starlette application; `run` until cancelled."""

    def __init__(
        self, database: Database, store: EventStore, blobs: Blobs, subscriptions: Subscriptions, public_url: str = ""
    ) -> None:
        views = Views(database, store)
        self.context = Context(database, store, Operators(database), blobs, views, subscriptions, public_url)

    @property
    def routes(self) -> list[BaseRoute]:
        by_path: dict[str, dict[str, Endpoint]] = {}
        for opened in OPEN:
            by_path.setdefault(opened.path, {})[opened.method] = partial(_open, self.context, opened.handler)
        for address in SIGNED_IN:
            by_path.setdefault(address.path, {})[address.method] = partial(_signed_in, self.context, address.handler)
        api = [_route(PREFIX + path, methods) for path, methods in by_path.items()]
        document = _route(f"{PREFIX}/openapi.json", {"GET": _document})
        nothing = [Route(path, _nothing, methods=METHODS) for path in (PREFIX, f"{PREFIX}/{{path:path}}")]
        return [document, *api, *nothing, *window_routes()]

    async def run(self) -> None:
        await self.context.views.run()

    async def ready(self) -> str | None:
        """Return what is missing, None when requests can be answered."""
        try:
            await self.context.database.read(lambda tx: tx.row("SELECT 1"))
        except DatabaseUnavailable as error:
            return f"database: {error}"
        return None


def _route(path: str, methods: dict[str, Endpoint]) -> Route:
    allowed = {*methods, "HEAD"} if "GET" in methods else set(methods)

    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        chosen = methods.get(method)
        return await chosen(request) if chosen else wrong_method(allowed)

    return Route(path, endpoint, methods=METHODS)


async def _signed_in(context: Context, handler: Handler, request: Request) -> Response:
    operator = await signed_in(request, context)
    if operator.role == "analyst" and request.method not in ("GET", "HEAD") and not _is_sign_out(request):
        raise HTTPException(403, "analysts read, operators answer")
    return await _refusing(handler(Call(request, context, operator)))


async def _open(
    context: Context, handler: Callable[[Request, Context], Awaitable[Response]], request: Request
) -> Response:
    return await handler(request, context)


async def _refusing(answer: Awaitable[Response]) -> Response:
    """What the domain refuses is the caller's to mend: 404, 409 or 422 with its words."""
    try:
        return await answer
    except NoSuchThing as error:
        return problem(404, detail=str(error), code=error.code)
    except Refused as error:
        return problem(422, "Refused", str(error), code=error.code)
    except Conflict as error:
        return problem(409, detail=str(error))
    except EventUnreadable as error:
        return problem(503, "This cannot be read at present", str(error), code="unreadable")


def _is_sign_out(request: Request) -> bool:
    return request.method == "DELETE" and request.url.path == f"{PREFIX}/session"


async def _document(_: Request) -> Response:
    return Response(openapi.document(), media_type="application/json")


async def _nothing(_: Request) -> Response:
    raise HTTPException(404)
