"""Errors as RFC 9457 problem details: one way to say no for every address Okno serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from shared.logs import Log
from shared.said import said

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
Handler = Callable[[Request, Exception], Awaitable[Response]]
log = Log("http")


def problem(
    status: int, title: str = "", detail: str = "", headers: Mapping[str, str] | None = None, **extra: object
) -> Response:
    """Return a problem answer (RFC 9457, section 3); `title` defaults to the status's own phrase.

    `extra` are extension members, such as `errors` for the fields of a form.
    """
    body: dict[str, object] = {"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status}
    if detail:
        body["detail"] = detail
    return Response(orjson.dumps(body | extra, default=str), status, headers, MEDIA_TYPE)


def unavailable(detail: str = "", retry_after_seconds: int = RETRY_AFTER_SECONDS) -> Response:
    """Return 503 with Retry-After: nothing was kept, the same request may be sent again."""
    return problem(503, "Try again later", detail, {"Retry-After": str(retry_after_seconds)})


def wrong_method(allowed: Iterable[str]) -> Response:
    return problem(405, headers={"Allow": ", ".join(sorted(allowed))})


def exception_handlers(passing: Iterable[type[Exception]] = ()) -> dict[type[Exception], Handler]:
    """Return the handlers for a Starlette application. `passing`: errors that mean "try again later" (503)."""
    handlers: dict[type[Exception], Handler] = {HTTPException: _http, ClientDisconnect: _gone, Exception: _bug}
    return handlers | dict.fromkeys(passing, _passing)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    return problem(error.status_code, title, "" if error.detail == title else error.detail, error.headers)


async def _passing(request: Request, error: Exception) -> Response:
    log.warning("request_postponed", path=request.url.path, reason=said(error))
    return unavailable()


async def _gone(_: Request, __: Exception) -> Response:
    """Whoever left in the middle of a body reads no answer and has done nothing worth a traceback."""
    return problem(400, detail="the request ended before its body did")


async def _bug(_: Request, __: Exception) -> Response:
    """The server itself logs the traceback of an error nobody expected, once; the answer tells nothing of it."""
    return problem(500, detail="The error is in the server's log.")
