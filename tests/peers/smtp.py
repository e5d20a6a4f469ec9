"""An SMTP server inside the test process: it keeps every accepted mail in order and misbehaves when told to."""

import asyncio
import time
import weakref
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.peers.certificate import issue_certificate
from tests.peers.loop_thread import LoopThread
from tests.peers.process import PeerError, free_port, make_folder, remove_folder

Stage = Literal["mail", "rcpt", "data"]


@dataclass(frozen=True, slots=True)
class Received:
    """A mail as it was accepted; `login` is None for a client that did not authenticate."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    login: str | None
    tls: bool


@dataclass(slots=True)
class Faults:
    """What goes wrong next. Each call of a method adds to what is waiting; `clear` makes the server well again."""

    refuse_logins: bool = False
    delay_seconds: float = 0.0
    refusals: dict[Stage, deque[str]] = field(default_factory=dict)
    cuts_before: int = 0
    cuts_after: int = 0

    def answer(self, code: int, text: str, times: int = 1, at: Stage = "data") -> None:
        """Refuse the next mails at that stage, for instance 450 "4.2.0 try later"."""
        self.refusals.setdefault(at, deque()).extend([f"{code} {text}"] * times)

    def cut_before_acceptance(self, times: int = 1) -> None:
        """Drop the connection when the mail has been read; it is not accepted."""
        self.cuts_before += times

    def cut_after_acceptance(self, times: int = 1) -> None:
        """Accept the mail, then drop the connection instead of saying so."""
        self.cuts_after += times

    def clear(self) -> None:
        self.refuse_logins, self.delay_seconds, self.cuts_before, self.cuts_after = False, 0.0, 0, 0
        self.refusals.clear()

    def next_refusal(self, at: Stage) -> str | None:
        waiting = self.refusals.get(at)
        return waiting.popleft() if waiting else None


class SmtpServer:
    """Plain with STARTTLS on `port`, TLS on `tls_port`. Without users anyone may send; with users only they may."""

    def __init__(self, users: dict[str, str] | None = None) -> None:
        self.users = users or {}
        self.host, self.port, self.tls_port = "127.0.0.1", free_port(), free_port()
        self.mails: list[Received] = []
        self.faults = Faults()
        self._folder = make_folder("smtp")
        self._certificate = issue_certificate(self._folder)
        self.ca_path = self._certificate.certificate
        self._thread: LoopThread | None = None
        self._servers: list[asyncio.Server] = []
        self._sessions: weakref.WeakSet[SMTP] = weakref.WeakSet()

    def start(self) -> None:
        self._thread = LoopThread("smtp")
        self._thread.run(self._listen())

    def stop(self) -> None:
        """Nothing listens any more and every connection is cut; the mails stay."""
        if self._thread is not None:
            self._thread.run(self._hang_up())
            self._thread.close()
            self._thread = None

    def close(self) -> None:
        self.stop()
        remove_folder(self._folder)

    async def received(self, count: int, timeout_seconds: float = 60) -> list[Received]:
        """The mails, as soon as there are that many. Raises PeerError when time runs out."""
        deadline = time.monotonic() + timeout_seconds
        while len(self.mails) < count:
            if time.monotonic() > deadline:
                raise PeerError(f"{len(self.mails)} mails of {count} after {timeout_seconds} s")
            await asyncio.sleep(0.01)
        return list(self.mails)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.users and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if refusal := self.faults.next_refusal("mail"):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self.faults.next_refusal("rcpt"):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        faults = self.faults
        await asyncio.sleep(faults.delay_seconds)
        if refusal := faults.next_refusal("data"):
            return refusal
        if faults.cuts_before:
            faults.cuts_before -= 1
            return _cut(server)
        self.mails.append(_received(server, session, envelope))
        if faults.cuts_after:
            faults.cuts_after -= 1
            return _cut(server)
        return "250 2.0.0 OK"

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        if self.faults.refuse_logins or not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        login, password = data.login.decode(), data.password.decode()
        return AuthResult(success=self.users.get(login) == password, handled=False, auth_data=login)

    async def _listen(self) -> None:
        loop, tls = asyncio.get_running_loop(), self._certificate.server_context()
        self._servers = [
            await loop.create_server(lambda: self._session(starttls=True), self.host, self.port),
            await loop.create_server(lambda: self._session(starttls=False), self.host, self.tls_port, ssl=tls),
        ]

    def _session(self, starttls: bool) -> SMTP:
        session = SMTP(
            self,
            hostname="localhost",
            enable_SMTPUTF8=True,
            data_size_limit=50 * 1024 * 1024,
            tls_context=self._certificate.server_context() if starttls else None,
            authenticator=self._authenticate,
            auth_require_tls=False,
        )
        self._sessions.add(session)
        return session

    async def _hang_up(self) -> None:
        for server in self._servers:
            server.close()
        for session in self._sessions:
            _abort(session)
        self._sessions.clear()


def _received(server: SMTP, session: Session, envelope: Envelope) -> Received:
    content = envelope.content
    raw = content if isinstance(content, bytes) else (content or "").encode()
    login = session.auth_data if session.authenticated else None
    tls = server.transport is not None and server.transport.get_extra_info("sslcontext") is not None
    return Received(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw, login, tls)


def _cut(server: SMTP) -> str:
    _abort(server)
    return "421 never seen"


def _abort(session: SMTP) -> None:
    if isinstance(session.transport, asyncio.WriteTransport):
        session.transport.abort()
