"""The second way in: a mail server hands mails over by SMTP or LMTP. 250 means durable, 451 means: keep it, come back.

It takes mail for its own addresses only. Without a certificate it belongs behind a mail server, on loopback; with one
it takes mail after STARTTLS only.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from pathlib import Path

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.channels.email import config
from shared.channels.email.parse import MAX_MAIL_BYTES
from shared.clock import now
from shared.connector import Channel, Inlet
from shared.logs import Log
from shared.parsed import RawItem
from shared.said import said

CONNECTIONS = 10
RECIPIENTS = 100
IDLE_SECONDS = 120.0
LINE_BYTES = 4 * 1024 * 1024
"""Far more than the 998 of RFC 5322: a mail with a long line is a mail too."""
ENVELOPE_CHARACTERS = 2_000
log = Log("email.listener")


class Listener:
    """The inbound role of a mailbox that is handed its mails."""

    def __init__(self, channel: Channel, inlet: Inlet) -> None:
        self._channel, self._inlet = channel, inlet
        self._connections: set[asyncio.BaseTransport] = set()
        self._tls: tuple[float, ssl.SSLContext] | None = None

    async def run(self) -> None:
        """Listen until cancelled. Raises OSError when the port cannot be had, or the certificate cannot be used."""
        settings = self._channel.settings
        self._context()
        host, port = settings["listen_host"], int(settings["listen_port"])
        server = await asyncio.get_running_loop().create_server(self._session, host, port)
        self._inlet.report(lag=0, problem=None)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            for transport in tuple(self._connections):
                transport.abort() if isinstance(transport, asyncio.WriteTransport) else transport.close()

    def _session(self) -> SMTP:
        kind = _LmtpSession if self._channel.settings["receive_by"] == "lmtp" else _SmtpSession
        name = self._channel.settings["address"].rpartition("@")[2]
        return kind(
            self,
            self._connections,
            hostname=name if name.isascii() else "localhost",
            ident="Okno",
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            timeout=IDLE_SECONDS,
            loop=asyncio.get_running_loop(),
            tls_context=self._context(),
        )

    def _context(self) -> ssl.SSLContext | None:
        """Return what encrypts, read anew when the certificate was renewed; None without one. Raises OSError."""
        if not (certificate := self._channel.settings["listen_certificate"]):
            return None
        written_at = Path(certificate).stat().st_mtime
        if self._tls is None or self._tls[0] != written_at:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, self._channel.settings["listen_key"] or None)
            self._tls = (written_at, context)
        return self._tls[1]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The library's own demand for STARTTLS knows no LHLO."""
        if self._channel.settings["listen_certificate"] and session.ssl is None:
            return "530 5.7.0 Must issue a STARTTLS command first"  # RFC 3207, section 4
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not is_ours(address, self._channel.settings["address"], config.listens_for(self._channel.settings)):
            return "550 5.1.1 This server takes no mail for that address"
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Answer once for SMTP, once for each recipient for LMTP (RFC 2033, 4.2)."""
        answer = await self._take(envelope)
        return "\r\n".join([answer] * (len(envelope.rcpt_tos) if isinstance(server, LMTP) else 1))

    async def _take(self, envelope: Envelope) -> str:
        data = envelope.original_content or b""
        context = {
            "envelope_from": (envelope.mail_from or "").removeprefix("<>")[:ENVELOPE_CHARACTERS],
            "envelope_to": ",".join(envelope.rcpt_tos)[:ENVELOPE_CHARACTERS],
        }
        # The same mail handed over again, because our answer was lost, has the same key.
        item = RawItem(data, "message/rfc822", now(), f"sha256:{hashlib.sha256(data).hexdigest()}", context)
        try:
            inbound_id = await self._inlet.accept(item)
        except Exception as error:
            self._inlet.report(problem=f"a mail could not be kept: {said(error)}")
            log.error("mail_not_kept", error, channel_id=self._channel.id)
            return "451 4.3.0 The mail could not be kept, try again later"
        self._inlet.report(problem=None)
        return f"250 2.6.0 Kept as {inbound_id}"


class _SmtpSession(SMTP):
    """Bounded: lines may be long, connections and time are few."""

    line_length_limit = LINE_BYTES

    def __init__(self, listener: Listener, connections: set[asyncio.BaseTransport], **options: object) -> None:
        super().__init__(listener, **options)  # type: ignore[arg-type]
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._connections) >= CONNECTIONS and isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.7.0 Too many connections, try again later\r\n")
            transport.close()
            return
        self._connections.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is None:
            return
        self._connections.discard(self.transport)
        super().connection_lost(error)


class _LmtpSession(_SmtpSession, LMTP):
    """The same with LHLO and an answer for each recipient."""


def is_ours(recipient: str, own: str, listens_for: tuple[str, ...] = ()) -> bool:
    """Tell whether mail for `recipient` is taken: for the own address with or without +..., or for what is listed."""
    local, _, domain = recipient.lower().rpartition("@")
    base = f"{local.partition('+')[0]}@{domain}"
    if not listens_for:
        return own.lower() in (f"{local}@{domain}", base)
    return bool({f"{local}@{domain}", base, f"@{domain}"} & set(listens_for))
