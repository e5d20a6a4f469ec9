"""What comes over a connection before a request is one: bounded in size and time, refused as a problem."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvicorn

from services import bounded_http
from services.bounded_http import HEAD_BYTES, BoundedHttp
from services.serve import front

ASK = b"GET /healthz HTTP/1.1\r\nHost: okno\r\n"


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(front([]), http=BoundedHttp, log_config=None, lifespan="off", timeout_graceful_shutdown=0)
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
