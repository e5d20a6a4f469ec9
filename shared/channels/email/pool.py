"""A few kept SMTP connections. One that was used before is asked (NOOP) before it is lent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiosmtplib
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from shared.channels.email import config
from shared.channels.email.build import ascii_domain
from shared.channels.email.oauth import Tokens

CONNECTIONS = 4
CONNECT_SECONDS = 20.0
COMMAND_SECONDS = 30.0
NOOP_SECONDS = 5.0


class Pool:
    """The connections of one mailbox."""

    def __init__(self, settings: Mapping[str, str], tokens: Tokens | None = None) -> None:
        self._settings, self._tokens = settings, tokens
        self.idle: list[SMTP] = []
        self._slots = asyncio.Semaphore(CONNECTIONS)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait until one of the few connections may be used."""
        async with self._slots:
            yield

    async def take(self) -> tuple[SMTP, bool]:
        """Return a connection and whether it was used before. Raises what `connect` raises."""
        while self.idle:
            client = self.idle.pop()
            try:
                await client.noop(timeout=NOOP_SECONDS)
            except (SMTPException, OSError):
                client.close()
            else:
                return client, True
        return await self.connect(), False

    async def connect(self) -> SMTP:
        """Return a new connection, logged in. Raises SMTPException, OSError (ConsentEnded too), ValueError."""
        if self._tokens is None:
            return await self._opened(None)
        try:
            return await self._opened(await self._tokens.access_token())
        except aiosmtplib.SMTPAuthenticationError:  # the token may have been withdrawn before its time
            self._tokens.refused()
            return await self._opened(await self._tokens.access_token())

    def give_back(self, client: SMTP) -> None:
        if client.is_connected:
            self.idle.append(client)

    async def give_back_after(self, client: SMTP, error: BaseException) -> None:
        """Keep a connection whose server only said no; drop it after anything else."""
        refused = isinstance(error, SMTPResponseException) and error.code != 421
        if not refused or not client.is_connected:
            client.close()
            return
        try:
            await client.rset(timeout=NOOP_SECONDS)
        except (SMTPException, OSError):
            client.close()
        else:
            self.idle.append(client)

    async def close(self) -> None:
        while self.idle:
            client = self.idle.pop()
            try:
                await client.quit(timeout=1)
            except (SMTPException, OSError):
                client.close()

    async def _opened(self, token: str | None) -> SMTP:
        client = self._client(token)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await client.connect(timeout=CONNECT_SECONDS)
                await _greet(client)
        except BaseException:
            client.close()
            raise
        return client

    def _client(self, token: str | None) -> SMTP:
        async def generate() -> str:
            return token or ""

        server = config.smtp_server(self._settings)
        domain = ascii_domain(self._settings["address"]).rpartition("@")[2]
        return SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            username=server.username or None,
            password=server.password if server.username and token is None else None,
            oauth_token_generator=generate if token is not None else None,
            local_hostname=domain if domain.isascii() else "localhost",
            timeout=COMMAND_SECONDS,
        )


async def _greet(client: SMTP) -> None:
    """Ask what the server can do, if the login has not: SIZE and SMTPUTF8 are told in its answer."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()
