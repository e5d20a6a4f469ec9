"""A partner's server on a loopback port: checks signatures as the receiving side does, answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from shared.channels.telephony import generic
from shared.channels.telephony.webhook import Webhook
from shared.clock import now

OK = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
HANG = b""


def answer(status: str, body: str = "", **headers: str) -> bytes:
    """Return an HTTP answer."""
    data = body.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


@dataclass(frozen=True)
class Got:
    """One webhook that came."""

    webhook_id: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.body)["data"]["events"]
        return found

    @property
    def positions(self) -> list[int]:
        return [event["position"] for event in self.events]


@dataclass
class Partner:
    """`answers` are given in turn, then `usual`."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    usual: bytes = OK
    paths: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/okno"

    @property
    def positions(self) -> list[int]:
        """Of every event that came, in the order they came."""
        return [position for one in self.got for position in one.positions]

    def is_signed(self, one: Got, secret: str) -> bool:
        """Ask the code that receives such webhooks; it raises for any other signature."""
        generic.admit(Webhook(one.headers, one.body, now()), {"secret": secret})
        return True

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            self.paths.append(head[0])
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.got.append(Got(headers["webhook-id"], headers, body))
            given = self.answers.pop(0) if self.answers else self.usual
            if given == HANG:
                await reader.read()  # until the other side gives up
            writer.write(given)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def partner() -> AsyncIterator[Partner]:
    made = Partner()
    server = await asyncio.start_server(made.take, "127.0.0.1", 0, limit=2**24)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
