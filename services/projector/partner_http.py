"""Sends a webhook to one partner: bounded in time and size, no redirect followed.

Only addresses that `partner_address` allows are connected to, judged when the connection is made: a name that
resolves to another address a moment later gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from shared.registry.partner_address import Network, refusal
from shared.said import said_with_kind

SECONDS, CONNECT_SECONDS, BEGINNING_SECONDS = 15.0, 5.0, 1.0
ANSWER_BYTES = 1024
"""Of the partner's answer, for people to read in the log."""
CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` None: there was none, and `problem` says why. `retry_after` as the partner gave it."""

    status: int | None
    milliseconds: int
    beginning: str = ""
    problem: str = ""
    retry_after: str = ""


class Forbidden(OSError):
    """The address must not be connected to."""


class PartnerHttp:
    """The connections to one partner: nothing of it is shared, so a slow one keeps nobody else waiting."""

    def __init__(self, url: str, networks: Sequence[Network], seconds: float = SECONDS) -> None:
        self._url, self._networks, self._seconds = url, networks, seconds
        self._encrypted = urlsplit(url).scheme == "https"
        self._threads = ThreadPoolExecutor(1, "okno-partner")
        self._session: aiohttp.ClientSession | None = None
        self._refused = ""
        """Why the last connection was not made."""

    async def __aenter__(self) -> PartnerHttp:
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self._threads), socket_factory=self._socket, use_dns_cache=False, force_close=True
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": "Okno"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def post(self, headers: dict[str, str], body: bytes) -> Answer:
        """Send; whatever happens is an answer."""
        assert self._session is not None
        began, self._refused = time.monotonic(), ""
        timeout = aiohttp.ClientTimeout(total=self._seconds, sock_connect=CONNECT_SECONDS)
        try:
            request = self._session.post(
                URL(self._url, encoded=True),
                data=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=timeout,
                allow_redirects=False,
            )
            async with request as response:
                beginning = await _beginning(response)
                retry_after = response.headers.get("retry-after", "")
                return Answer(response.status, _since(began), beginning, _problem(response.status), retry_after)
        except TimeoutError:
            return Answer(None, _since(began), problem=f"no answer within {self._seconds:.0f} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            problem = self._refused or said_with_kind(error)
            return Answer(None, _since(began), problem=problem[:500])

    def _socket(self, found: Any) -> socket.socket:
        """Return a socket for an address that may be connected to. Raises Forbidden."""
        family, kind, protocol, _, address = found
        if why := refusal(ip_address(str(address[0]).partition("%")[0]), self._networks, encrypted=self._encrypted):
            self._refused = why
            raise Forbidden(why)
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


class _Resolver(AbstractResolver):
    """Asks in a thread of the partner's own: a name server that hangs takes none that others wait for."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol, flags=0)
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """The thread is the partner's to end."""


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The status has decided: an answer that stops in its middle is one."""
    data = b""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(BEGINNING_SECONDS):
            data = await response.content.read(ANSWER_BYTES)
    return data.decode("utf-8", "replace").replace("\x00", "")[:CHARACTERS]


def _problem(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return "redirects are not followed" if 300 <= status < 400 else f"the partner answered {status}"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
