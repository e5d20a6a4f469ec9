"""What one process serves beside its parts: health, readiness, metrics, and the straight way to webhooks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from services import serve
from services.house import open_house
from services.serve import Part, front
from shared.settings import read_settings
from shared.transport.protocol import TransportUnavailable


class Endpoint:
    """A webhook that says which channel was meant."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(f"{scope['method']} {scope['path_params']['channel']}")(scope, receive, send)


async def _page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("page")


async def _body(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


def part(missing: str | None = None) -> Part:
    async def run() -> None:
        """Nothing to do."""

    async def ready() -> str | None:
        return missing

    async def lag() -> float:
        return 3.0

    routes = [Route("/in/forms/{channel}", Endpoint()), Route("/page", _page), Route("/body", _body, methods=["POST"])]
    return Part("ingest", run, ready, routes, gauges={"okno_lag": lag})


def client(served: Part) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(front([served])), base_url="http://okno")


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/in/forms/site", 200, "GET site"),
        ("/in/forms/%D1%81%D0%B0%D0%B9%D1%82", 200, "GET сайт"),
        ("/in/forms/site/", 200, "GET site"),
        ("/page", 200, "page"),
        ("/healthz", 200, "ok\n"),
    ],
)
async def test_an_address_answers(path: str, status: int, text: str) -> None:
    async with client(part()) as browser:
        answer = await browser.get(path)
    assert (answer.status_code, answer.text) == (status, text)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", ["/in/forms/", "/in/forms", "/in/other/site", "/in/forms/a/b", "/in/", "/nothing"])
async def test_an_address_that_is_not_there_is_a_problem_by_any_method(path: str, method: str) -> None:
    async with client(part()) as browser:
        answer = await browser.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_readiness_names_what_is_missing() -> None:
    async with client(part("database: away")) as browser:
        answer = await browser.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "ingest: database: away\n")


async def test_readiness_and_metrics_of_a_part_in_order() -> None:
    async with client(part()) as browser:
        ready, metrics = await browser.get("/readyz"), await browser.get("/metrics")
    assert (ready.status_code, ready.text) == (200, "ready\n")
    assert "# TYPE okno_lag gauge\nokno_lag 3.0\n" in metrics.text


async def test_a_gauge_that_cannot_be_read_is_left_out_of_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "GAUGE_SECONDS", 0.05)

    async def hangs() -> float:
        await asyncio.sleep(60)
        return 1.0

    async def gone() -> float:
        raise TransportUnavailable("no broker")

    served = replace(part(), gauges={**part().gauges, "okno_hangs": hangs, "okno_gone": gone})
    async with client(served) as browser:
        metrics = await browser.get("/metrics")
    assert (metrics.status_code, "okno_lag 3.0" in metrics.text) == (200, True)
    assert "okno_hangs" not in metrics.text
    assert "okno_gone" not in metrics.text


async def test_whoever_leaves_in_the_middle_of_a_body_is_no_error_of_ours() -> None:
    """Starlette raises it through, and the server would log a traceback for every connection that breaks."""
    come = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(come)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/body", "headers": [], "query_string": b""}
    await front([part()])(scope, receive, send)
    assert sent[0]["status"] == 400


async def test_a_service_does_not_wait_for_ever_for_its_databases(tmp_path: Path) -> None:
    house = open_house(read_settings({"OKNO_DATA": str(tmp_path)}))

    async def breaks() -> None:
        raise ArithmeticError

    async def ready() -> None:
        return None

    with pytest.raises(ArithmeticError):
        await serve.serve(house, [Part("breaks", breaks, ready)], serve.bind("127.0.0.1", 0), lambda: None)
    waits = [(each.statement_seconds, each.thread_seconds) for each in (house.database, house.keys.database)]
    await house.close()
    assert waits == [(serve.STATEMENT_SECONDS, None), (serve.STATEMENT_SECONDS, serve.STATEMENT_SECONDS)]
