"""Okno as processes among real servers: embedded, or a cluster of seven; a mailbox, a mail server, a form.

The ports stay the same over any kill, `restart_all` too, so that clients find what they lost.
"""

import asyncio
import base64
import json
import os
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.peers.dovecot import DovecotServer
from tests.peers.okno import OknoProcess
from tests.peers.process import PeerError, free_port, make_folder, remove_folder
from tests.peers.smtp import SmtpServer

T = TypeVar("T")
Mode = Literal["embedded", "cluster"]
SUPPORT, PASSWORD = "support@okno.test", "correct horse battery"
OPERATOR = "olga@okno.test"
CLUSTER = ("ingest", "ingest", "projector", "projector", "outbound", "outbound", "inbox-api")


@dataclass(frozen=True, slots=True)
class Cluster:
    """The servers a cluster stands on."""

    kafka: str
    database_url: str


@dataclass(frozen=True, slots=True)
class Service:
    """One process of Okno and where it listens."""

    name: str
    url: str
    process: OknoProcess


class SlowSmtpServer(SmtpServer):
    """Has the mail, but says so only after `confirm_seconds`."""

    confirm_seconds = 0.0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        await asyncio.sleep(self.confirm_seconds)
        return answer


class Stage:
    """Use as a context manager: everything it started ends with it."""

    def __init__(self, cluster: Cluster | None = None, settings: Mapping[str, str] | None = None) -> None:
        """`settings`: more of the environment, or other values than usual."""
        self.mode: Mode = "cluster" if cluster else "embedded"
        self.folder = make_folder("stage")
        self.dovecot, self.smtp = DovecotServer(), SlowSmtpServer()
        self.env = {**self._settings(cluster), **(settings or {})}
        names = CLUSTER if cluster else ("up",)
        self.services = [self._service(name, number) for number, name in enumerate(names)]
        self.channels: dict[str, str] = {}
        self.announced: dict[str, Any] = {}
        self.token = ""
        self._api: httpx.Client | None = None

    # --- its life -----------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.smtp.start()
            self.dovecot.start()
            self.dovecot.add_user(SUPPORT, PASSWORD)
            self._add_channels()
            self.start()
            self._create_operator()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def start(self) -> None:
        """Start what does not run, and wait until all of it is ready."""
        for service in self.services:
            if not service.process.process.alive:
                service.process.start()
        self.wait_until_ready()

    def restart_all(self) -> None:
        """kill -9 of every process at one moment, and start them all again."""
        for service in self.services:
            service.process.pause()  # so that none sees another die
        for service in self.services:
            service.process.kill()
        self.start()

    def wait_until_ready(self, timeout_seconds: float = 90) -> None:
        for service in self.services:
            service.process.wait_for_http(service.url, timeout_seconds=timeout_seconds)

    def named(self, name: str) -> list[Service]:
        """The processes of a service; embedded the one that has them all."""
        return [each for each in self.services if each.name in (name, "up")]

    # --- addresses and clients ----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where the window is."""
        return self.named("inbox-api")[0].url

    @property
    def api(self) -> httpx.Client:
        """The API with the operator's token."""
        if self._api is None:
            headers = {"Authorization": f"Bearer {self.token}"}
            self._api = httpx.Client(
                base_url=f"{self.url}/api/v1", headers=headers, timeout=20, trust_env=False, verify=False
            )
        return self._api

    def form_url(self, number: int = 0) -> str:
        """The form's address; of several ingest processes the one with this number."""
        return f"{self._ingest(number)}/in/forms/{self.channels['form']}"

    def _ingest(self, number: int) -> str:
        found = self.named("ingest")
        return found[number % len(found)].url

    def post_form(self, fields: dict[str, str], number: int = 0, key: str = "") -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return httpx.post(
            self.form_url(number), data=fields, headers=headers, timeout=20, trust_env=False, verify=False
        )

    def deliver(self, raw: bytes) -> None:
        """Put a mail into the support mailbox."""
        self.dovecot.deliver(SUPPORT, raw)

    # --- reading ------------------------------------------------------------------------------------------

    def get(self, path: str, **query: str | int) -> Any:
        answer = self.api.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    def all(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, limit=200, **query, **cursor)
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    def conversations(self) -> list[dict[str, Any]]:
        return list(self.all("/conversations", status="all"))

    def messages(self, conversation_id: str) -> list[dict[str, Any]]:
        return list(self.all(f"/conversations/{conversation_id}/messages"))

    def conversation_with(self, text: str, timeout_seconds: float = 60) -> dict[str, Any]:
        """The conversation that has a message with this text, as soon as there is one."""

        def found() -> dict[str, Any] | None:
            for conversation in self.conversations():
                if any(text in message["text"] for message in self.messages(conversation["id"])):
                    return conversation
            return None

        return eventually(found, timeout_seconds, f"a message with {text!r}")

    def events(self) -> Iterator[dict[str, Any]]:
        """The whole log, page by page."""
        after = 0
        while items := self.get("/events", after=after, limit=500)["items"]:
            yield from items
            after = items[-1]["position"]

    def events_count(self) -> int:
        return sum(1 for _ in self.events())

    # --- commands -----------------------------------------------------------------------------------------

    def okno(self, *args: str, status: int = 0) -> str:
        """Run a command that ends by itself; what it printed. Raises PeerError at another exit status."""
        command = OknoProcess(args, self.env, name=f"okno-{args[0]}")
        command.start()
        ended = command.wait(90)
        printed = command.process.log.read_text(errors="replace")
        if ended != status:
            raise PeerError(f"okno {' '.join(args)} ended with {ended}, not {status}:\n{printed}")
        return printed

    def okno_json(self, *args: str, status: int = 0) -> Any:
        """The JSON a command prints; what it says on stderr stands in other lines."""
        printed = self.okno(*args, "--json", status=status)
        return json.JSONDecoder().raw_decode(printed[printed.index("{\n") :])[0]

    # --- setting up ---------------------------------------------------------------------------------------

    def _settings(self, cluster: Cluster | None) -> dict[str, str]:
        env = {"OKNO_DATA": str(self.folder / "data"), "SSL_CERT_FILE": str(self.dovecot.ca_path)}
        if cluster:
            env |= {
                "OKNO_KAFKA": cluster.kafka,
                "OKNO_DATABASE_URL": cluster.database_url,
                "OKNO_BLOBS": str(self.folder / "blobs"),
                "OKNO_SECRET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            }
        return env

    def _service(self, name: str, number: int) -> Service:
        port = free_port()
        process = OknoProcess([name, "--port", str(port), "--json"], self.env, name=f"{name}-{number}")
        return Service(name, f"http://127.0.0.1:{port}", process)

    def _add_channels(self) -> None:
        imap = {"imap_host": self.dovecot.host, "imap_port": str(self.dovecot.tls_port), "imap_password": PASSWORD}
        smtp = {"smtp_host": self.smtp.host, "smtp_port": str(self.smtp.port), "smtp_security": "none"}
        self.add_channel("email", "mailbox", {"address": SUPPORT, **imap, **smtp})
        self.add_channel("web_form", "form", {"reply_channel": "mailbox", "rate_limit": "0"})

    def add_channel(self, kind: str, name: str, settings: dict[str, str]) -> str:
        pairs = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        self.channels[name] = self.okno_json("channels", "add", kind, name, *pairs)["id"]
        return self.channels[name]

    def _create_operator(self) -> None:
        window = self.named("inbox-api")[0]
        self.announced = json.loads(window.process.wait_for_line('"setup"'))
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.announced["setup"]).query)
        first = {"token": query["token"][0], "email": OPERATOR, "name": "Ольга", "password": PASSWORD}
        httpx.post(f"{self.url}/api/v1/setup", json=first, timeout=30, trust_env=False, verify=False).raise_for_status()
        self.token = self.okno_json("tokens", "create", OPERATOR)["token"]

    def _end(self) -> None:
        if self._api is not None:
            self._api.close()
        for service in self.services:
            service.process.kill()
        self.dovecot.close()
        self.smtp.close()
        remove_folder(self.folder)


def eventually(
    ask: Callable[[], T | None], timeout_seconds: float = 60, what: str = "what was awaited", pause: float = 0.05
) -> T:
    """Ask until there is an answer, with so many seconds in between. Raises PeerError when time runs out."""
    deadline = time.monotonic() + timeout_seconds
    while not (found := ask()):
        if time.monotonic() > deadline:
            raise PeerError(f"{what} is not there after {timeout_seconds} s")
        time.sleep(pause)
    return found


def corpora() -> Path:
    """Outside test material beside the repository; not part of it."""
    return Path(__file__).parents[3] / "shared" / "corpora"
