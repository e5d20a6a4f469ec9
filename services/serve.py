"""Runs parts of Okno in one process behind one HTTP port until a signal comes, or one of them breaks."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import uvicorn
import uvloop
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from services.collector import OBJECTS_PER_COLLECTION, OF_A_SERVER, collect_seldom, leave_alone
from services.house import House
from services.http_upgrades import UpgradeFreeHttp
from shared.database.protocol import DatabaseUnavailable
from shared.logs import Log
from shared.problems import exception_handlers, problem
from shared.settings import WrongSettings
from shared.transport.protocol import TransportUnavailable

GRACE_SECONDS = 3
SWITCH_SECONDS = 0.001
"""How long the event loop may keep Python's lock from the database thread (Python's own 5 ms add up per statement)."""
GAUGE_SECONDS = 3.0
"""Whoever collects metrics waits for some ten seconds, Kafka's client half a minute for one answer."""
STATEMENT_SECONDS = 120.0
"""Nothing a service asks of its database takes so long, but for what it does in threads of its own."""
WEBHOOKS, CHANNEL = "/in/", "/{channel}"
log = Log("serve")
Ready = Callable[[], Awaitable[str | None]]


class PartBroken(Exception):
    """A part of the process ended although nobody had asked it to."""


@dataclass(slots=True)
class Part:
    """One service in this process: what runs until cancelled, its routes, and what it still lacks."""

    name: str
    run: Callable[[], Awaitable[None]]
    ready: Ready
    routes: Sequence[BaseRoute] = ()
    stop: Callable[[], Awaitable[None]] | None = None
    gauges: Mapping[str, Callable[[], Awaitable[float]]] = field(default_factory=dict)
    leave: Callable[[], Awaitable[None]] | None = None
    """Ends what has no end of its own before the server stops: answers it would wait for, requests to itself."""


def run_loop(main: Awaitable[None], *, is_waited_for: bool = True) -> None:
    """Run a process's main coroutine on uvloop, with a collector tuned for many small objects.

    `is_waited_for`: people or channels wait for its answers; else a collection may take longer, and there are fewer.
    """
    collect_seldom(OF_A_SERVER if is_waited_for else OBJECTS_PER_COLLECTION)
    sys.setswitchinterval(SWITCH_SECONDS)

    async def body() -> None:
        await main

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(body())


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket. Raises WrongSettings when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OverflowError as error:
        listening.close()
        raise WrongSettings(f"cannot listen on {host}:{port}: ports are numbers from 0 to 65535") from error
    except OSError as error:
        listening.close()
        raise WrongSettings(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listening


async def serve(house: House, parts: Sequence[Part], listening: socket.socket, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises what a part raised: a process that is broken ends loudly."""
    keys = house.keys.database  # is asked from threads, and never for long
    house.database.statement_seconds = keys.statement_seconds = keys.thread_seconds = STATEMENT_SECONDS
    server = _Server(
        uvicorn.Config(
            front(parts),
            http=UpgradeFreeHttp,
            ws="none",  # else a library that somebody has installed beside Okno would speak it
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers="FORWARDED_ALLOW_IPS" in os.environ,  # a forwarded address is believed of named proxies only
            timeout_graceful_shutdown=GRACE_SECONDS,
        ),
        [part.leave for part in parts if part.leave is not None],
    )
    web = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    running = [asyncio.create_task(_run(part), name=part.name) for part in parts]
    announcing = asyncio.create_task(_announce(server, announce))
    try:
        done, _ = await asyncio.wait({web, *running}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            log.info("stopping", because=task.get_name())
            task.result()
    finally:
        announcing.cancel()
        server.should_exit = True
        await asyncio.gather(web, return_exceptions=True)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, announcing, return_exceptions=True)
        for part in reversed(parts):
            if part.stop is not None:
                await part.stop()


class _Server(uvicorn.Server):
    """Ends on a signal and keeps it: uvicorn raises it once more, which ends the process before its parts have."""

    def __init__(self, config: uvicorn.Config, leaving: Sequence[Callable[[], Awaitable[None]]]) -> None:
        super().__init__(config)
        self._leaving = leaving

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for leave in self._leaving:
            await leave()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()


class Front:
    """Sends webhooks straight to their endpoints, which answer every error themselves; all else goes to Starlette."""

    def __init__(self, application: Starlette, webhooks: Sequence[BaseRoute]) -> None:
        self._application = application
        self._webhooks = Router(webhooks, redirect_slashes=False, default=problem(404))
        routes = [route for route in webhooks if isinstance(route, Route)]
        self._endpoints = {r.path.removesuffix(CHANNEL): r.app for r in routes if r.path.endswith(CHANNEL)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(WEBHOOKS):
            await self._application(scope, receive, send)
            return
        scope["path"] = scope["path"].rstrip("/")  # whoever types an address may end it so
        prefix, _, channel = scope["path"].rpartition("/")
        if channel and prefix in self._endpoints:  # all but every post: no search through the routes
            scope["path_params"] = {"channel": channel}
            await self._endpoints[prefix](scope, receive, send)
        else:
            await self._webhooks(scope, receive, send)


def front(parts: Sequence[Part]) -> Front:
    """Return the whole of what is served."""
    routes = [route for part in parts for route in part.routes]
    webhooks = [route for route in routes if isinstance(route, Route) and route.path.startswith(WEBHOOKS)]
    return Front(application(parts), webhooks)


def application(parts: Sequence[Part]) -> Starlette:
    """Return the ASGI application of these parts with /healthz, /readyz and /metrics."""
    routes = [route for part in parts for route in part.routes]
    own = [
        Route("/healthz", _healthz),
        Route("/readyz", partial(_readyz, parts)),
        Route("/metrics", partial(_metrics, parts)),
    ]
    handlers = exception_handlers((DatabaseUnavailable, TransportUnavailable))
    return Starlette(routes=[*own, *routes], exception_handlers=handlers)


async def _run(part: Part) -> None:
    """A library that cancels itself would end the process without a word: that is a bug like any other."""
    try:
        await part.run()
    except asyncio.CancelledError as stray:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise PartBroken(f"{part.name} was cancelled from within") from stray


async def _announce(server: uvicorn.Server, announce: Callable[[], None]) -> None:
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    leave_alone()
    announce()


async def _healthz(_: Request) -> Response:
    return Response("ok\n", media_type="text/plain")


async def _readyz(parts: Sequence[Part], _: Request) -> Response:
    missing = {part.name: why for part in parts if (why := await part.ready())}
    text = "".join(f"{name}: {why}\n" for name, why in missing.items()) or "ready\n"
    return Response(text, 503 if missing else 200, media_type="text/plain")


async def _metrics(parts: Sequence[Part], _: Request) -> Response:
    """A gauge that cannot be read now is left out: what is told of an outage must not end with it."""
    gauges = {name: read for part in parts for name, read in part.gauges.items()}
    values = await asyncio.gather(*(_gauge(name, read) for name, read in gauges.items()))
    told = [
        f"# TYPE {name} gauge\n{name} {value}\n"
        for name, value in zip(gauges, values, strict=True)
        if value is not None
    ]
    return Response("".join([generate_latest().decode(), *told]), media_type=CONTENT_TYPE_LATEST)


async def _gauge(name: str, read: Callable[[], Awaitable[float]]) -> float | None:
    try:
        async with asyncio.timeout(GAUGE_SECONDS):
            return await read()
    except (DatabaseUnavailable, TransportUnavailable, TimeoutError) as error:
        log.warning("gauge_unknown", gauge=name, error=repr(error)[:500])
        return None
