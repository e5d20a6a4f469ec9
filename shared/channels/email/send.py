"""Sends replies by SMTP over a few kept connections. Only an answer lost after DATA leaves a mail's fate unknown."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import aiosmtplib
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from shared.channels.email import config
from shared.channels.email.build import Mail, NoRecipient, ascii_domain, build
from shared.connector import (
    Channel,
    FileReader,
    SendDelayed,
    SenderBroken,
    SendFateUnknown,
    SendRefused,
    Sent,
)
from shared.contracts.outbound import OutboundReply

CONNECTIONS = 4
CONNECT_SECONDS = 20.0
COMMAND_SECONDS = 30.0
DATA_SECONDS = 120.0

_LOGIN_CODES = frozenset({530, 534, 535, 538})
"""Authentication required, too weak or failed, encryption required (RFC 4954, section 6)."""


def sender(channel: Channel, read_file: FileReader) -> SmtpSender:
    """Return the sender of a mailbox."""
    return SmtpSender(channel, read_file)


class SmtpSender:
    """The outbound role of a mailbox."""

    def __init__(self, channel: Channel, read_file: FileReader, data_seconds: float = DATA_SECONDS) -> None:
        self._channel, self._read_file, self._data_seconds = channel, read_file, data_seconds
        self._idle: list[SMTP] = []
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def send(self, reply: OutboundReply) -> Sent:
        if not self._channel.settings["smtp_host"]:
            raise SendRefused("this mailbox has no smtp_host: it only receives")
        mail = await self._build(reply)
        async with self._slots:
            async with self._envelope(mail) as client:
                await self._data(client, mail)
            self._idle.append(client)
        return Sent(external_id=mail.message_id)

    async def close(self) -> None:
        while self._idle:
            client = self._idle.pop()
            try:
                await client.quit(timeout=1)
            except (SMTPException, OSError):
                client.close()

    async def _build(self, reply: OutboundReply) -> Mail:
        try:
            files = {file.sha256: await self._read_file(file.sha256) for file in reply.files}
            return await asyncio.to_thread(build, reply, self._channel, files)
        except NoRecipient as error:
            raise SendRefused(str(error)) from error
        except FileNotFoundError as error:
            raise SendRefused(f"an attachment is not in the store: {error}") from error

    @asynccontextmanager
    async def _envelope(self, mail: Mail) -> AsyncIterator[SMTP]:
        """Give a connection on which sender and recipients are accepted; a kept one that died is replaced once."""
        client, reused = await self._connection()
        try:
            try:
                await _name_envelope(client, mail)
            except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError):
                if not reused:
                    raise
                client.close()
                client = await self._connect()
                await _name_envelope(client, mail)
            yield client
        except BaseException as error:
            await self._put_back_or_close(client, error)
            if isinstance(error, SMTPException | OSError):
                _raise_send_error(error)
            raise

    async def _data(self, client: SMTP, mail: Mail) -> None:
        """Hand the mail over. Raises SendFateUnknown when the server's answer to it is lost."""
        try:
            await client.data(mail.data, timeout=self._data_seconds)
        except SMTPResponseException:
            raise
        except (SMTPException, OSError) as error:
            raise SendFateUnknown(f"the connection broke while the mail was handed over: {_words(error)}") from error

    async def _connection(self) -> tuple[SMTP, bool]:
        """Return a connection and whether it was used before."""
        while self._idle:
            client = self._idle.pop()
            try:
                await client.noop(timeout=5)
            except (SMTPException, OSError):
                client.close()
            else:
                return client, True
        try:
            return await self._connect(), False
        except (SMTPException, OSError, ValueError) as error:
            _raise_send_error(error, connecting=True)

    async def _connect(self) -> SMTP:
        server = config.smtp_server(self._channel.settings)
        domain = ascii_domain(self._channel.settings["address"]).rpartition("@")[2]
        client = SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            username=server.username or None,
            password=server.password if server.username else None,
            local_hostname=domain if domain.isascii() else "localhost",
            timeout=COMMAND_SECONDS,
        )
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await client.connect(timeout=CONNECT_SECONDS)
                await _greet(client)
        except BaseException:
            client.close()
            raise
        return client

    async def _put_back_or_close(self, client: SMTP, error: BaseException) -> None:
        """Keep a connection whose server only said no; drop it after anything else."""
        refused = isinstance(error, SMTPResponseException) and error.code != 421
        try:
            if not refused or not client.is_connected:
                raise aiosmtplib.SMTPServerDisconnected("dropped")
            await client.rset(timeout=5)
        except (SMTPException, OSError):
            client.close()
        else:
            self._idle.append(client)


async def _greet(client: SMTP) -> None:
    """Ask what the server can do, if the login has not: SIZE and SMTPUTF8 are told in its answer."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


async def _name_envelope(client: SMTP, mail: Mail) -> None:
    """MAIL and RCPT: one refused recipient refuses the mail, before anybody got it."""
    if mail.needs_utf8 and not client.supports_extension("smtputf8"):
        raise SendRefused("the server cannot send to an address with non-ASCII letters (no SMTPUTF8)")
    options = [f"size={len(mail.data)}"] if client.supports_extension("size") else []
    encoding = "utf-8" if mail.needs_utf8 else "ascii"
    await client.mail(mail.sender, options=options + ["smtputf8"] * mail.needs_utf8, encoding=encoding)
    for recipient in mail.recipients:
        await client.rcpt(recipient, encoding=encoding)


def _raise_send_error(error: Exception, *, connecting: bool = False) -> NoReturn:
    """Raise what the server's answer, or its silence, means for the reply (RFC 5321, 4.2.1)."""
    if isinstance(error, SMTPResponseException):
        code, text = str(error.code), f"{error.code} {_words(error)}"
        if 400 <= error.code < 500:
            raise SendDelayed(text, code) from error
        if connecting or error.code in _LOGIN_CODES:
            raise SenderBroken(text, code) from error
        raise SendRefused(text, code) from error
    if _is_certificate(error):
        raise SenderBroken(f"the server's certificate is not trusted: {_words(error)}") from error
    if isinstance(error, aiosmtplib.SMTPNotSupported | ValueError) or (connecting and type(error) is SMTPException):
        raise SenderBroken(f"the server cannot do what the settings ask for: {_words(error)}") from error
    raise SendDelayed(f"the server cannot be reached: {_words(error)}") from error


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def _words(error: BaseException) -> str:
    words = error.message if isinstance(error, SMTPException) else str(error)
    return " ".join(str(words).split())[:500] or type(error).__name__
