"""One IMAP connection: a deadline on every call, TLS, STARTTLS, XOAUTH2, and an end once the connection is lost.

`arrivals` is set by any EXISTS, also by one within the answer to another command, which aioimaplib drops: a mail that
arrives between SEARCH and IDLE is not waited for in vain.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from aioimaplib import aioimaplib  # type: ignore[import-untyped]

from shared.channels.email.config import Server
from shared.channels.email.imap_client import Client
from shared.channels.email.imap_refusals import is_for_now
from shared.channels.email.imap_words import (
    found_arrivals,
    found_bodies,
    found_folders,
    found_sizes,
    found_uids,
    last_words,
    mailbox_name,
    quoted,
    uid_set,
)
from shared.channels.email.oauth import Tokens
from shared.connector import ReceiverRefused
from shared.said import said

CONNECT_SECONDS = 20.0
COMMAND_SECONDS = 60.0
SLOWEST_BYTES_PER_SECOND = 20_000

_UIDVALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]", re.IGNORECASE)
_UIDNEXT = re.compile(rb"\[UIDNEXT (\d+)\]", re.IGNORECASE)
_KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A peer that vanished without a word is noticed within 50 s."""

T = TypeVar("T")


class ImapError(ConnectionError):
    """The server refused, was silent for too long or hung up; the text says which and at what."""


class LoginRefused(ImapError, ReceiverRefused):
    """The server does not let this mailbox in, and will not until something is changed."""


class CommandRefused(ImapError):
    """The server said no to one command; the connection is good."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What SELECT told of a folder; `uid_next` is None where the server does not say."""

    uid_validity: int
    uid_next: int | None


class Connection:
    """One login to a mailbox; any ImapError but CommandRefused means: drop it and make a new one."""

    def __init__(self, server: Server, tokens: Tokens | None = None) -> None:
        self._server, self._tokens = server, tokens
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.arrivals = asyncio.Event()
        self._idles = True
        tls = server.security == "tls"
        self._client = Client(server.host, server.port, tls=tls, watcher=self, timeout=CONNECT_SECONDS)

    async def open(self) -> None:
        """Connect, encrypt and log in. Raises ImapError, and what getting an access token raises."""
        await self._within("connect", CONNECT_SECONDS, self._client.wait_hello_from_server())
        self._keep_alive()
        if self._server.security == "starttls":
            await self._within("STARTTLS", CONNECT_SECONDS, self._start_tls())
        await self._log_in()
        await self._within("CAPABILITY", COMMAND_SECONDS, self._client.protocol.capability())

    def can(self, capability: str) -> bool:
        return bool(self._client.has_capability(capability))

    async def select(self, name: str) -> Folder:
        """Open a folder to read it. Raises ImapError."""
        lines = b"\n".join(await self._command("SELECT", self._client.protocol.select(mailbox_name(name))))
        validity, following = _UIDVALIDITY.search(lines), _UIDNEXT.search(lines)
        if validity is None:
            raise ImapError(f"the server keeps no lasting UIDs in {name}")
        return Folder(int(validity[1]), int(following[1]) if following else None)

    async def folders(self) -> dict[str, str]:
        """Return the flags of every folder by its name. Raises ImapError."""
        answer = self._client.protocol.simple_command("LIST", '""', "*")
        return found_folders(await self._command("LIST", answer))

    async def search(self, criteria: str) -> list[int]:
        """Return the UIDs that match, ascending. Raises ImapError."""
        self.arrivals.clear()
        answer = self._client.protocol.search(criteria, charset=None, by_uid=True)
        return found_uids(await self._command("SEARCH", answer))

    async def find(self, message_id: str) -> list[int]:
        """Return the UIDs of the mails with a Message-ID. Raises ImapError."""
        return await self.search(f"HEADER Message-ID {quoted(message_id)}")

    async def listed(self, uids: Sequence[int]) -> tuple[dict[int, int], dict[int, datetime]]:
        """Return the size in bytes of each mail that still exists, and when the server got it, where it says so."""
        lines = await self._fetch(uids, "(UID RFC822.SIZE INTERNALDATE)", 0)
        return found_sizes(lines), found_arrivals(lines)

    async def mails(self, uids: Sequence[int], size: int, *, first_bytes: int | None = None) -> dict[int, bytes]:
        """Return the mails that still exist, without marking them as seen; `size` in bytes sets the deadline."""
        part = "" if first_bytes is None else f"<0.{first_bytes}>"
        return found_bodies(await self._fetch(uids, f"(UID BODY.PEEK[]{part})", size))

    async def mark(self, uids: Sequence[int], flag: str) -> None:
        """Add a flag (\\Seen). Raises CommandRefused, ImapError."""
        answer = self._client.protocol.store(uid_set(uids), "+FLAGS.SILENT", f"({flag})", by_uid=True)
        await self._command("STORE", answer)

    async def move(self, uids: Sequence[int], folder: str) -> None:
        """Move mails, by MOVE (RFC 6851) or in steps; a missing folder is made. Raises CommandRefused, ImapError."""
        try:
            await self._move(uids, folder)
        except CommandRefused as error:
            if "[TRYCREATE]" not in str(error).upper():
                raise
            await self.create(folder)
            await self._move(uids, folder)

    async def create(self, folder: str) -> None:
        await self._command("CREATE", self._client.protocol.simple_command("CREATE", mailbox_name(folder)))

    async def append(self, folder: str, mail: bytes, flags: str = r"\Seen") -> None:
        """Put a mail into a folder. Raises CommandRefused, ImapError."""
        seconds = COMMAND_SECONDS + len(mail) / SLOWEST_BYTES_PER_SECOND
        answer = self._client.protocol.append(mail, mailbox_name(folder), flags)
        await self._command("APPEND", answer, seconds)

    async def wait_for_mail(self, seconds: float, poll_seconds: float) -> None:
        """Return when a mail has arrived or the time is over: by IDLE, else after `poll_seconds`. Raises ImapError."""
        if self.arrivals.is_set():
            return
        idle = await self._idle(seconds)
        if idle is None:
            await self._until_lost_or(asyncio.sleep(poll_seconds))
            await self._command("NOOP", self._client.protocol.simple_command("NOOP"))
            return
        try:
            async with asyncio.timeout(seconds):
                await self._until_lost_or(self.arrivals.wait())
        except TimeoutError:
            pass
        self._client.idle_done()
        await self._within("DONE", COMMAND_SECONDS, idle)
        self._client.forget_pushes()

    def close(self) -> None:
        self._client.drop()
        if not self._lost.done():
            self._lost.cancel()

    def lost(self, error: Exception | None) -> None:
        """Told by the protocol: the connection is gone, or the server said BYE."""
        if not self._lost.done():
            self._lost.set_exception(ImapError(f"the connection was lost: {error or 'closed by the server'}"))
            self._lost.exception()

    async def _idle(self, seconds: float) -> asyncio.Future[Any] | None:
        """Return what ends with IDLE, None for a server that does not have it or refuses it."""
        if not self.can("IDLE") or not self._idles:
            return None
        start = self._client.idle_start(timeout=seconds * 2)
        try:
            idle: asyncio.Future[Any] = await self._within("IDLE", COMMAND_SECONDS, start)
        except ImapError as error:
            if not isinstance(error.__cause__, aioimaplib.Abort):
                raise
            self._idles = False
            return None
        return idle

    async def _log_in(self) -> None:
        user, password = self._server.username, self._server.password
        if self._tokens is not None:
            token = await self._tokens.access_token()
            await self._authenticate("XOAUTH2", f"user={user}\1auth=Bearer {token}\1\1".encode())
        elif self.can("AUTH=PLAIN") and (self.can("LOGINDISABLED") or not (user + password).isascii()):
            await self._authenticate("PLAIN", f"\0{user}\0{password}".encode())
        else:
            await self._enter("LOGIN", self._client.protocol.login(quoted(user), password))

    async def _authenticate(self, mechanism: str, response: bytes) -> None:
        if not self.can(f"AUTH={mechanism}"):
            raise LoginRefused(f"the server does not offer {mechanism}")
        try:
            await self._enter(mechanism, self._client.authenticate(mechanism, response))
        except LoginRefused as error:
            if self._tokens is not None:
                self._tokens.refused()
            raise LoginRefused(" ".join([said(error), *self._client.protocol.challenges])) from None

    async def _enter(self, name: str, answer: Awaitable[Any]) -> None:
        try:
            await self._command(name, answer)
        except CommandRefused as error:
            kind = ImapError if is_for_now(str(error)) else LoginRefused
            raise kind(said(error)) from None

    async def _move(self, uids: Sequence[int], folder: str) -> None:
        protocol, name = self._client.protocol, mailbox_name(folder)
        if self.can("MOVE"):
            await self._command("MOVE", protocol.move(uid_set(uids), name, by_uid=True))
            return
        await self._command("COPY", protocol.copy(uid_set(uids), name, by_uid=True))
        await self.mark(uids, r"\Deleted")
        if self.can("UIDPLUS"):  # a bare EXPUNGE would remove what others have marked
            await self._command("EXPUNGE", protocol.expunge(uid_set(uids), by_uid=True))

    async def _fetch(self, uids: Sequence[int], what: str, size: int) -> list[bytes | bytearray]:
        seconds = COMMAND_SECONDS + size / SLOWEST_BYTES_PER_SECOND
        fetch = self._client.fetch_uids(uid_set(uids), what, COMMAND_SECONDS)
        lines: list[bytes | bytearray] = (await self._within("FETCH", seconds, fetch)).lines
        return lines

    async def _command(self, name: str, answer: Awaitable[Any], seconds: float | None = None) -> list[bytes]:
        response = await self._within(name, seconds or COMMAND_SECONDS, answer)
        if response.result != "OK":
            raise CommandRefused(f"the server refused {name}: {last_words(response.lines)}")
        lines: list[bytes] = response.lines
        return lines

    async def _within(self, name: str, seconds: float, answer: Awaitable[T]) -> T:
        """Await `answer` unless time runs out or the connection is lost first. Raises ImapError."""
        try:
            async with asyncio.timeout(seconds):
                return await self._until_lost_or(answer)
        except ImapError:
            raise
        except (TimeoutError, aioimaplib.CommandTimeout):
            raise ImapError(f"the server did not answer {name} in {seconds:.0f} s") from None
        except ssl.SSLCertVerificationError as error:
            raise ImapError(f"the server's certificate is not trusted: {error.verify_message}") from error
        except (aioimaplib.AioImapException, OSError, ValueError) as error:
            raise ImapError(f"{name} failed: {said(error)}") from error

    async def _until_lost_or(self, answer: Awaitable[T]) -> T:
        task: asyncio.Future[T] = asyncio.ensure_future(answer)
        either: tuple[asyncio.Future[Any], ...] = (task, self._lost)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self._lost.result()
            return task.result()
        finally:
            if not task.done():
                task.cancel()

    async def _start_tls(self) -> None:
        """Upgrade (RFC 3501, 6.2.1); what came in before the handshake is thrown away: nothing can be slipped in."""
        protocol = self._client.protocol
        if protocol.state != aioimaplib.NONAUTH:
            raise ImapError("the server does not offer STARTTLS before the login")
        command = aioimaplib.Command("STARTTLS", protocol.new_tag(), loop=protocol.loop)
        response = await protocol.execute(command)
        if response.result != "OK":
            raise ImapError(f"the server refused STARTTLS: {last_words(response.lines)}")
        protocol.incomplete_line, protocol.current_command = b"", None
        context = ssl.create_default_context()
        protocol.transport = await protocol.loop.start_tls(
            protocol.transport, protocol, context, server_hostname=self._server.host
        )
        await protocol.capability()

    def _keep_alive(self) -> None:
        link = self._client.protocol.transport.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
