"""Sends replies by SMTP over a few kept connections. Only an answer lost after DATA leaves a mail's fate unknown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import aiosmtplib
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from shared.channels.email import config
from shared.channels.email.answers import raise_send_error, words
from shared.channels.email.build import Mail, NoRecipient, build, message_id
from shared.channels.email.oauth import Tokens
from shared.channels.email.pool import Pool
from shared.channels.email.sent_folder import SentFolder
from shared.connector import Channel, FileReader, SendDelayed, SendFateUnknown, SendRefused, Sent
from shared.contracts.outbound import OutboundReply
from shared.said import said

DATA_SECONDS = 40.0
"""With the look into the Sent folder it stays within the minute that outbound gives a try."""


def sender(channel: Channel, read_file: FileReader) -> SmtpSender:
    """Return the sender of a mailbox."""
    return SmtpSender(channel, read_file)


class SmtpSender:
    """The outbound role of a mailbox."""

    def __init__(self, channel: Channel, read_file: FileReader, data_seconds: float = DATA_SECONDS) -> None:
        self._channel, self._read_file, self._data_seconds = channel, read_file, data_seconds
        tokens = Tokens(channel.settings) if config.uses_oauth(channel.settings) else None
        self._pool = Pool(channel.settings, tokens)
        self._sent_folder = SentFolder(channel.id, channel.settings, tokens)

    async def send(self, reply: OutboundReply) -> Sent:
        if reply.action != "message":
            raise SendRefused(f"a mail cannot be changed once it is sent ({reply.action})")
        if not self._channel.settings["smtp_host"]:
            raise SendRefused("this mailbox has no smtp_host: it only receives")
        mail = await self._build(reply)
        async with self._pool.slot(), self._envelope(mail) as client:
            await self._data(client, mail, is_first=reply.attempt == 1)
        self._sent_folder.keep(mail)
        return Sent(external_id=mail.message_id)

    @asynccontextmanager
    async def settling(self) -> AsyncIterator[Callable[[UUID], Awaitable[Sent | None]]]:
        """Lend what tells by the Sent folder that a reply left, None where nothing of it is there.

        It and this raise SendDelayed when the folder cannot be read.
        """
        try:
            async with self._sent_folder.looking() as has:

                async def settled(reply_id: UUID) -> Sent | None:
                    its_id = message_id(reply_id, self._channel)
                    return Sent(external_id=its_id) if await has(its_id) else None

                yield settled
        except OSError as error:
            raise SendDelayed(f"the Sent folder cannot be read: {words(error)}") from error

    async def close(self) -> None:
        await self._pool.close()
        await self._sent_folder.close()

    async def _build(self, reply: OutboundReply) -> Mail:
        try:
            files = {file.sha256: await self._read_file(file.sha256) for file in reply.files}
            return await asyncio.to_thread(build, reply, self._channel, files)
        except NoRecipient as error:
            raise SendRefused(said(error)) from error
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
                client = await self._pool.connect()
                await _name_envelope(client, mail)
            yield client
        except BaseException as error:
            await self._pool.give_back_after(client, error)
            if isinstance(error, SMTPException | OSError):
                raise_send_error(error)
            raise
        self._pool.give_back(client)

    async def _connection(self) -> tuple[SMTP, bool]:
        try:
            return await self._pool.take()
        except (SMTPException, OSError, ValueError) as error:
            raise_send_error(error, connecting=True)

    async def _data(self, client: SMTP, mail: Mail, *, is_first: bool) -> None:
        """Hand the mail over. Raises SendFateUnknown when the answer is lost and the Sent folder does not settle it.

        Every attempt has the same Message-ID, so a copy found after a later one may be that of the first.
        """
        try:
            await client.data(mail.data, timeout=self._data_seconds)
        except SMTPResponseException as error:
            if not 200 <= error.code < 300:  # any 2xx is a yes (RFC 5321, 4.2.1)
                raise
        except (SMTPException, OSError) as error:
            client.close()
            if not (is_first and await self._sent_folder.has(mail.message_id)):
                said = f"the connection broke while the mail was handed over: {words(error)}"
                raise SendFateUnknown(said) from error


async def _name_envelope(client: SMTP, mail: Mail) -> None:
    """MAIL and RCPT: one refused recipient refuses the mail, before anybody got it."""
    if mail.needs_utf8 and not client.supports_extension("smtputf8"):
        raise SendRefused("the server cannot send to an address with non-ASCII letters (no SMTPUTF8)")
    options = [f"size={len(mail.data)}"] if client.supports_extension("size") else []
    encoding = "utf-8" if mail.needs_utf8 else "ascii"
    await client.mail(mail.sender, options=options + ["smtputf8"] * mail.needs_utf8, encoding=encoding)
    for recipient in mail.recipients:
        await client.rcpt(recipient, encoding=encoding)
