"""One IMAP connection: aioimaplib with a deadline on every call, STARTTLS, and an end once the connection is lost.

`arrivals` is set by any EXISTS, also by one within the answer to another command, which aioimaplib drops: a mail that
arrives between SEARCH and IDLE is not waited for in vain.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from aioimaplib import aioimaplib  # type: ignore[import-untyped]

from shared.channels.email.config import Server

CONNECT_SECONDS = 20.0
COMMAND_SECONDS = 60.0
SLOWEST_BYTES_PER_SECOND = 20_000

_UIDVALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]", re.IGNORECASE)
_UIDNEXT = re.compile(rb"\[UIDNEXT (\d+)\]", re.IGNORECASE)
_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_FETCH = re.compile(rb"\d+ FETCH \(")
_EXISTS = re.compile(rb"\* \d+ EXISTS\b", re.IGNORECASE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A peer that vanished without a word is noticed within 50 s."""

T = TypeVar("T")


class ImapError(ConnectionError):
    """The server refused, was silent for too long or hung up; the text says which and at what."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What SELECT told of a folder; `uid_next` is None where the server does not say."""

    uid_validity: int
    uid_next: int | None


class Connection:
    """A selected folder of one mailbox; any ImapError means: drop it and make a new one."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.arrivals = asyncio.Event()
        self._client = _Client(server, self)

    async def open(self) -> None:
        """Connect, encrypt and log in. Raises ImapError."""
        await self._within("connect", CONNECT_SECONDS, self._client.wait_hello_from_server())
        self._keep_alive()
        if self._server.security == "starttls":
            await self._within("STARTTLS", CONNECT_SECONDS, self._start_tls())
        user = aioimaplib.quoted(self._server.username)
        await self._command("LOGIN", self._client.protocol.login(user, self._server.password))
        if not self._client.has_capability("IDLE"):
            await self._within("CAPABILITY", COMMAND_SECONDS, self._client.protocol.capability())

    async def select(self, name: str) -> Folder:
        """Open a folder to read it. Raises ImapError."""
        lines = b"\n".join(await self._command("SELECT", self._client.protocol.select(mailbox_name(name))))
        validity, following = _UIDVALIDITY.search(lines), _UIDNEXT.search(lines)
        if validity is None:
            raise ImapError(f"the server keeps no lasting UIDs in {name}")
        return Folder(int(validity[1]), int(following[1]) if following else None)

    async def search(self, criteria: str) -> list[int]:
        """Return the UIDs that match, ascending. Raises ImapError."""
        self.arrivals.clear()
        lines = await self._command("SEARCH", self._client.protocol.search(criteria, charset=None, by_uid=True))
        return sorted({int(word) for line in lines[:-1] for word in line.split() if word.isdigit()})

    async def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """Return the size in bytes of each mail that still exists."""
        lines = await self._fetch(uids, "(UID RFC822.SIZE)", 0)
        found = ((_UID.search(line), _SIZE.search(line)) for line in lines if isinstance(line, bytes))
        return {int(uid[1]): int(size[1]) for uid, size in found if uid and size}

    async def mails(self, uids: Sequence[int], size: int, *, first_bytes: int | None = None) -> dict[int, bytes]:
        """Return the mails that still exist, without marking them as seen; `size` in bytes sets the deadline."""
        part = "" if first_bytes is None else f"<0.{first_bytes}>"
        return _bodies(await self._fetch(uids, f"(UID BODY.PEEK[]{part})", size))

    async def wait_for_mail(self, seconds: float, poll_seconds: float) -> None:
        """Return when a mail has arrived or the time is over: by IDLE, else after `poll_seconds`. Raises ImapError."""
        if self.arrivals.is_set():
            return
        if not self._client.has_capability("IDLE"):
            await self._until_lost_or(asyncio.sleep(poll_seconds))
            await self._command("NOOP", self._client.protocol.simple_command("NOOP"))
            return
        idle = await self._within("IDLE", COMMAND_SECONDS, self._client.idle_start(timeout=seconds * 2))
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

    async def _fetch(self, uids: Sequence[int], what: str, size: int) -> list[bytes | bytearray]:
        seconds = COMMAND_SECONDS + size / SLOWEST_BYTES_PER_SECOND
        fetch = self._client.protocol.fetch(_uid_set(uids), what, by_uid=True, timeout=COMMAND_SECONDS)
        lines: list[bytes | bytearray] = (await self._within("FETCH", seconds, fetch)).lines
        return lines

    async def _command(self, name: str, answer: Awaitable[Any]) -> list[bytes]:
        response = await self._within(name, COMMAND_SECONDS, answer)
        if response.result != "OK":
            raise ImapError(f"the server refused {name}: {_last_words(response.lines)}")
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
            raise ImapError(f"{name} failed: {error}") from error

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
            raise ImapError(f"the server refused STARTTLS: {_last_words(response.lines)}")
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


class _Protocol(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]
    """Tells of arrivals and of a greeting that says BYE; both get lost in the library."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Connection) -> None:
        super().__init__(loop, connection.lost)
        self._connection = connection

    async def welcome(self, command: bytes) -> None:
        try:
            await super().welcome(command)
        except aioimaplib.AioImapException as error:
            self._connection.lost(error)

    def _untagged_response(self, line: bytes) -> Any:
        if _EXISTS.match(line):
            self._connection.arrivals.set()
        return super()._untagged_response(line)


class _Client(aioimaplib.IMAP4):  # type: ignore[misc]
    """An IMAP4 client, encrypted or not, on the protocol above."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._connection = connection
        context = ssl.create_default_context() if server.security == "tls" else None
        super().__init__(server.host, server.port, timeout=CONNECT_SECONDS, ssl_context=context)

    def create_client(
        self,
        host: str,
        port: int,
        loop: asyncio.AbstractEventLoop | None,
        conn_lost_cb: Any = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        running = asyncio.get_running_loop()
        self.protocol = _Protocol(running, self._connection)
        self._client_task = running.create_task(
            running.create_connection(lambda: self.protocol, host, port, ssl=ssl_context)
        )

    def forget_pushes(self) -> None:
        while not self.protocol.idle_queue.empty():
            self.protocol.idle_queue.get_nowait()

    def drop(self) -> None:
        """Close at once and end every task the library has started."""
        if self._idle_waiter is not None:
            self._idle_waiter.cancel()
        for task in (self._client_task, *self.tasks, *self.protocol.tasks):
            task.cancel()
        if self.protocol.transport is not None:
            self.protocol.transport.abort()


def mailbox_name(name: str) -> str:
    """Return a folder name as IMAP writes it, quoted, in modified UTF-7 (RFC 3501, 5.1.3)."""
    pieces = re.findall(r"[\x20-\x7e]+|[^\x20-\x7e]+", name)
    return str(aioimaplib.quoted("".join(_utf7(piece) for piece in pieces)))


def imap_date(day: date) -> str:
    """Return a date as SEARCH takes it, the same in every locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"


def _utf7(piece: str) -> str:
    if piece.isascii():
        return piece.replace("&", "&-")
    encoded = base64.b64encode(piece.encode("utf-16-be")).decode("ascii")
    return f"&{encoded.rstrip('=').replace('/', ',')}-"


def _uid_set(uids: Sequence[int]) -> str:
    """Return ascending UIDs as a short set; only neighbours become ranges, so nothing else is asked for."""
    ranges: list[list[int]] = []
    for uid in uids:
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in ranges)


def _bodies(lines: Sequence[bytes | bytearray]) -> dict[int, bytes]:
    """Return literals by UID; the UID may stand before or after the literal, and a mail may come without one."""
    found: dict[int, bytes] = {}
    uid: int | None = None
    literal: bytes | None = None
    for line in lines:
        if isinstance(line, bytearray):
            literal = bytes(line)
            continue
        if _FETCH.match(line):
            uid = literal = None
        if told := _UID.search(line):
            uid = int(told[1])
        if uid is not None and literal is not None:
            found[uid] = literal
    return found


def _last_words(lines: Sequence[bytes]) -> str:
    return bytes(lines[-1]).decode("utf-8", "replace")[:300] if lines else "no reason given"
