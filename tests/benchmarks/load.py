"""The client's side of a form, as cheap as it can be: keep-alive connections that post prepared bytes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode


@dataclass(slots=True)
class Outcome:
    """Seconds from the first post to the last answer, answers by status, and when each id was posted."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    posted_at: dict[str, float] = field(default_factory=dict)
    answered_after: list[float] = field(default_factory=list)


def form_post(host: str, path: str, number: int) -> bytes:
    """Return one small Russian form post, each from a client of its own."""
    body = urlencode(
        {
            "name": f"Клиент {number}",
            "email": f"client{number}@example.com",
            "phone": f"+7916{number % 10_000_000:07d}",
            "message": f"Здравствуйте! Сколько стоит доставка заказа номер {number}?",
        }
    ).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def flood(address: tuple[str, int], posts: list[bytes], connections: int) -> Outcome:
    """Post everything as fast as it is answered, from that many connections."""
    outcome, waiting = Outcome(), iter(posts)
    began = time.perf_counter()
    await asyncio.gather(*(_connection(address, waiting, outcome) for _ in range(connections)))
    outcome.seconds = time.perf_counter() - began
    return outcome


async def steady(address: tuple[str, int], posts: list[bytes], per_second: float, connections: int = 50) -> Outcome:
    """Post at a fixed rate, however fast the answers come (open loop)."""
    outcome = Outcome()
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await asyncio.open_connection(*address))
    began = time.perf_counter()
    tasks = []
    for number, post in enumerate(posts):
        await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
        tasks.append(asyncio.create_task(_one(free, post, outcome)))
    await asyncio.gather(*tasks)
    outcome.seconds = time.perf_counter() - began
    while not free.empty():
        free.get_nowait()[1].close()
    return outcome


async def _one(
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]], post: bytes, outcome: Outcome
) -> None:
    began = time.perf_counter()
    reader, writer = await free.get()
    await _exchange(reader, writer, post, outcome, began)
    free.put_nowait((reader, writer))


async def _connection(address: tuple[str, int], posts: Iterator[bytes], outcome: Outcome) -> None:
    reader, writer = await asyncio.open_connection(*address)
    for post in posts:
        await _exchange(reader, writer, post, outcome, time.perf_counter())
    writer.close()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, post: bytes, outcome: Outcome, began: float
) -> None:
    writer.write(post)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    body = await reader.readexactly(length)
    status = int(head[9:12])
    outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
    outcome.answered_after.append(time.perf_counter() - began)
    if status == 200 and body.startswith(b"{"):
        outcome.posted_at[json.loads(body).get("id", "")] = began


async def watch(address: tuple[str, int], token: str, seen: Callable[[str, float], None], ready: asyncio.Event) -> None:
    """Read the live stream until cancelled; tell each message's id and when it was heard of."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(f"GET /api/v1/stream HTTP/1.1\r\nHost: {address[0]}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    while line := await reader.readline():
        ready.set()
        if line.startswith(b"data: ") and b'"message_id":"' in line:
            seen(line.split(b'"message_id":"', 1)[1][:36].decode(), time.perf_counter())


def percentile(values: list[float], share: float) -> float:
    """Return the value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
