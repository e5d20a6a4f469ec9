"""HTTP to a provider's API: only to its own hosts, bounded in size and time, and no redirect is followed unseen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from shared.connector import Channel
from shared.said import said

ANSWER_BYTES = 20 * 1024 * 1024
RECORDING_BYTES = 200 * 1024 * 1024
ANSWER_SECONDS, RECORDING_SECONDS = 30.0, 300.0
MOST_REDIRECTS = 3


class ForeignAddress(Exception):
    """An address that is not the provider's: never asked."""


class NotReached(Exception):
    """There was no connection: the provider has heard nothing."""


class NoAnswer(Exception):
    """The provider may have heard us, but its answer never came."""


class TooLarge(Exception):
    """The answer is longer than we take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider answered; header names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def retry_after_seconds(self) -> float | None:
        given = self.headers.get("retry-after", "")
        return float(given) if given.isascii() and given.isdigit() and len(given) < 7 else None

    def object(self) -> dict[str, Any]:
        """Return the JSON object, empty where there is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Api:
    """One provider's API. `hosts`: where it may send us, as domains; with an address of one's own only there."""

    session: aiohttp.ClientSession
    base: str
    hosts: tuple[str, ...]

    async def ask(
        self,
        method: str,
        address: str,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        most_bytes: int = ANSWER_BYTES,
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """Ask for an address, absolute or below the base. Raises the exceptions above."""
        url = self.checked(address)
        timeout = aiohttp.ClientTimeout(total=seconds, connect=10.0)
        try:
            request = self.session.request(
                method, URL(url, encoded=True), data=data, headers=headers, timeout=timeout, allow_redirects=False
            )
            async with request as response:
                body = await _read(response, most_bytes)
                return Answer(response.status, body, {k.lower(): v for k, v in response.headers.items()})
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotReached(f"{urlsplit(url).hostname} cannot be reached: {said(error)}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(f"{urlsplit(url).hostname} did not answer: {type(error).__name__}") from error

    async def download(
        self, method: str, address: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Fetch a recording; a redirect within the provider's hosts is followed without what we authenticate with."""
        limits: dict[str, Any] = {"most_bytes": RECORDING_BYTES, "seconds": RECORDING_SECONDS}
        answer = await self.ask(method, address, data=data, headers=headers, **limits)
        for _ in range(MOST_REDIRECTS):
            if answer.status not in (301, 302, 303, 307, 308):
                break
            address = urljoin(self.checked(address), answer.headers.get("location", ""))
            answer = await self.ask("GET", address, **limits)
        return answer

    def checked(self, address: str) -> str:
        """Return the whole address. Raises ForeignAddress for one that is not the provider's."""
        if address.startswith("/"):
            return self.base + address
        try:
            parts, base = urlsplit(address), urlsplit(self.base)
            host = parts.hostname or ""
            is_ours = (parts.scheme, parts.netloc) == (base.scheme, base.netloc)
            is_theirs = parts.scheme == "https" and parts.port in (None, 443) and parts.username is None
        except ValueError as error:
            raise ForeignAddress(f"not an address: {address[:200]!r}") from error
        if is_ours or (is_theirs and any(host == h or host.endswith(f".{h}") for h in self.hosts)):
            return address
        raise ForeignAddress(f"{host or address[:200]!r} is no host of the provider's")


@asynccontextmanager
async def open_api(channel: Channel, base: str, hosts: tuple[str, ...]) -> AsyncIterator[Api]:
    """Open the channel's API: at its setting api_url, which then is the only host, or where the provider has it."""
    own = channel.settings.get("api_url", "").rstrip("/")
    async with aiohttp.ClientSession(headers={"User-Agent": "Okno"}) as session:
        yield Api(session, own or base, () if own else hosts)


async def _read(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    if (response.content_length or 0) > most_bytes:
        raise TooLarge(f"longer than {most_bytes} bytes")
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        chunks.append(chunk)
        if (size := size + len(chunk)) > most_bytes:
            raise TooLarge(f"longer than {most_bytes} bytes")
    return b"".join(chunks)
