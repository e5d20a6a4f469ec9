"""The demo's SMTP server: takes every mail for anyone, keeps the last ones in a folder, shows them by address."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.clock import now, to_text
from shared.owner_only import make_folder, opener

HOST = "127.0.0.1"
PORTS = range(20_000, 30_000)
"""Below the ports a system gives to outgoing connections: what was free once will be free at the next start."""
KEPT = 200


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as the page shows it."""

    to: frozenset[str]
    shown: dict[str, str]


class Mailbox:
    """`start` binds the port, `stop` frees it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mails: list[Mail] = []
        self._server: asyncio.Server | None = None
        self._connections: WeakSet[SMTP] = WeakSet()
        self._number = itertools.count()

    async def start(self, port: int) -> int:
        """Listen on `port`, or for 0 on a free one; return it. Raises OSError if it is taken."""
        make_folder(self._folder)
        self._mails = [_read(file.read_bytes()) for file in sorted(self._folder.glob("*.eml"))[-KEPT:]]
        self._server = await self._listen(port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for connection in self._connections:
            if connection.transport:
                connection.transport.close()

    def mails_to(self, address: str) -> list[dict[str, str]]:
        """Return the mails to an address, the newest first."""
        wanted = address.strip().lower()
        return [mail.shown for mail in reversed(self._mails) if wanted in mail.to]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        data = envelope.original_content or b""
        _keep(self._folder / f"{time.time_ns():020}-{next(self._number)}.eml", data)
        for old in sorted(self._folder.glob("*.eml"))[:-KEPT]:
            old.unlink()
        self._mails = [*self._mails[1 - KEPT :], _read(data)]
        return "250 Taken"

    async def _listen(self, port: int) -> asyncio.Server:
        if port:
            return await asyncio.get_running_loop().create_server(self._protocol, HOST, port)
        for candidate in random.sample(PORTS, 20):
            try:
                return await asyncio.get_running_loop().create_server(self._protocol, HOST, candidate)
            except OSError:
                continue
        raise OSError("no free port for the demo's mailbox")

    def _protocol(self) -> SMTP:
        connection = SMTP(self, hostname="okno.example", enable_SMTPUTF8=True)
        self._connections.add(connection)
        return connection


def _keep(file: Path, data: bytes) -> None:
    with open(file, "wb", opener=opener) as out:
        out.write(data)


def _read(data: bytes) -> Mail:
    mail = message_from_bytes(data, policy=policy.default)
    shown = {
        "from": str(mail["from"] or ""),
        "subject": str(mail["subject"] or ""),
        "date": str(mail["date"] or to_text(now())),
        "text": _text(mail),
    }
    everyone = getaddresses([str(value) for value in mail.get_all("to", [])])
    return Mail(frozenset(address.lower() for _, address in everyone), shown)


def _text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except LookupError:  # a charset Python does not know
        return bytes(part.get_payload(decode=True) or b"").decode("latin-1")
