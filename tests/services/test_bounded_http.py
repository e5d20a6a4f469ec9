"""What comes over a connection before a request is one: bounded in size and time, refused as a problem."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services import bounded_http
from services.bounded_http import HEAD_BYTES
from services.http_upgrades import UpgradeFreeHttp
from services.serve import Part, front

ASK = b"GET /healthz HTTP/1.1\r\nHost: okno\r\n"


async def counted(request: Request) -> Response:
    return Response(f"{len(await request.body())} bytes")


async def counted_late(request: Request) -> Response:
    await asyncio.sleep(0.5)
    return await counted(request)


async def idle() -> None:
    pass


READS = Part(
    "reads",
    run=idle,
    ready=idle,
    routes=[Route("/slow", counted, methods=["POST"]), Route("/late", counted_late, methods=["POST"])],
)


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        front([READS]), http=UpgradeFreeHttp, log_config=None, lifespan="off", timeout_graceful_shutdown=0
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    yield listener.getsockname()[1]
    server.should_exit = server.force_exit = True
    await task


async def told(port: int, *pieces: bytes) -> bytes:
    """Send pieces until the other side has had enough; return all that it says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)  # so that they come one by one
    except ConnectionError:
        return b""
    said = b""
    try:
        async with asyncio.timeout(10):
            while got := await reader.read(65536):
                said += got
    except ConnectionError:
        return said
    finally:
        writer.close()
    return said


def status_of(said: bytes) -> int:
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    status: int = json.loads(body)["status"]
    assert head.split(b" ")[1] == b"%d" % status
    return status


async def test_an_ordinary_request_is_answered(port: int) -> None:
    said = await told(port, ASK, b"Cookie: ", b"x" * (HEAD_BYTES // 2), b"\r\nConnection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
OFFERED = b"POST /slow HTTP/1.1\r\nHost: okno\r\n" + UPGRADE
LAST = ASK + b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        (OFFERED + b"Content-Length: 5\r\n\r\nhello", LAST),
        (OFFERED + b"Content-Length: 5\r\n\r\nhello" + LAST,),
        (OFFERED + b"Content-Length: 5\r\n\r\n", b"he", b"llo", LAST),
        (OFFERED + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", b"3\r\nllo\r\n0\r\n\r\n", LAST),
    ],
    ids=["at once", "with the next request", "in pieces", "chunked"],
)
async def test_a_body_arrives_though_another_protocol_is_offered(port: int, pieces: tuple[bytes, ...]) -> None:
    said = await told(port, *pieces)
    assert said.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b"5 bytes" in said


async def test_every_request_behind_an_offer_is_answered(port: int) -> None:
    offers = ASK + UPGRADE + b"\r\n" + OFFERED + b"Content-Length: 2\r\n\r\nhi"
    said = await told(port, offers * 300 + LAST)
    assert said.count(b"HTTP/1.1 200 OK\r\n") == 601
    assert said.count(b"2 bytes") == 300


async def test_what_is_no_http_behind_an_offer_is_refused(port: int) -> None:
    said = await told(port, ASK + UPGRADE + b"\r\n", b"no http\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 400" in said


@pytest.mark.parametrize(
    "pieces",
    [
        (ASK, b"X: ", *[b"x" * 65536] * 4),
        (ASK, *[b"X: y\r\n" * 10_000] * 5),
        (b"GET /", *[b"x" * 65536] * 4),
    ],
    ids=["one header", "many headers", "an address"],
)
async def test_a_head_that_does_not_end_is_refused(port: int, pieces: tuple[bytes, ...]) -> None:
    assert status_of(await told(port, *pieces)) == 431


async def test_trailers_that_do_not_end_are_left(port: int) -> None:
    """The answer to the request itself may have gone by then."""
    chunked = b"POST /healthz HTTP/1.1\r\nHost: okno\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    said = await told(port, chunked, *[b"X: y\r\n" * 10_000] * 6)
    assert b"HTTP/1.1 405" in said or said == b""


@pytest.mark.parametrize("pieces", [(), (ASK,), (ASK + b"\r\n", b"GET /hea")], ids=["nothing", "half", "a second half"])
async def test_who_does_not_say_what_they_want_is_left(
    port: int, pieces: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_SECONDS", 0.2)
    said = await told(port, *pieces)
    assert status_of(b"HTTP" + said.rpartition(b"HTTP")[2]) == 408


async def test_a_second_request_that_is_none_is_refused_too(port: int) -> None:
    said = await told(port, ASK + b"\r\n", b"GET /\xd0\xb0 HTTP/1.1\r\nHost: okno\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert status_of(b"HTTP/1.1" + said.rpartition(b"HTTP/1.1")[2]) == 400


POST = b"POST /slow HTTP/1.1\r\nHost: okno\r\nConnection: close\r\nContent-Length: %d\r\n"


@pytest.mark.parametrize("pieces", [(), [b"x"] * 10], ids=["nothing more", "a byte at a time"])
async def test_a_body_that_trickles_is_refused(
    port: int, pieces: Sequence[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "BODY_SECONDS", 0.5)
    assert status_of(await told(port, POST % 1000 + b"\r\n", *pieces)) == 408


async def test_a_slow_line_brings_a_great_body_to_its_end(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "BODY_SECONDS", 0.1)
    monkeypatch.setattr(bounded_http, "BODY_BYTES", 100)
    said = await told(port, POST % 5000 + b"\r\n", *[b"x" * 100] * 50)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said.endswith(b"5000 bytes")


async def test_a_body_that_waits_for_us_is_not_slow(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint begins to read late: until then the client of "Expect" and the one of a full buffer cannot send."""
    monkeypatch.setattr(bounded_http, "BODY_SECONDS", 0.1)
    late = POST.replace(b"/slow", b"/late")
    polite = late % 5 + b"Expect: 100-continue\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(polite)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"12345")
    assert (await reader.read()).endswith(b"5 bytes")
    writer.close()
    great = 1_000_000
    assert (await told(port, late % great + b"\r\n" + b"x" * great)).endswith(b"%d bytes" % great)


async def test_the_rest_of_a_body_nobody_wants_is_left_without_a_second_answer(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "BODY_SECONDS", 0.5)
    kept = (POST % 1000).replace(b"/slow", b"/healthz").replace(b"Connection: close\r\n", b"")
    said = await told(port, kept + b"\r\n", *[b"x"] * 10)
    assert (said.startswith(b"HTTP/1.1 405"), said.count(b"HTTP/1.1")) == (True, 1)


@pytest.mark.parametrize("excess", [b"\x00 what no Content-Length counts\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
async def test_a_whole_request_has_its_answer_whatever_comes_after_it(port: int, excess: bytes) -> None:
    """What it asked for is done: a refusal would be a lie, and whoever believed it would ask again."""
    said = await told(port, ASK + b"\r\n" + excess)
    assert (said.startswith(b"HTTP/1.1 200 OK\r\n"), said.count(b"HTTP/1.1")) == (True, 1)
    assert b"connection: close" in said


CHUNKED = b"POST /in/forms/x HTTP/1.1\r\nHost: okno\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n"


@pytest.mark.parametrize("said", [b"\x16\x03\x01 hello\r\n\r\n", CHUNKED], ids=["TLS", "a broken body"])
async def test_what_is_no_http_is_refused(port: int, said: bytes) -> None:
    assert status_of(await told(port, said)) == 400
