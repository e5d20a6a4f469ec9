"""What `okno up --demo` adds: channels, sample customers, and a page where a newcomer plays the client.

Everything takes the real road: posts and signed webhooks go through this server's own HTTP, answers leave by SMTP.
Samples are sent at every start; their fixed keys make the second time a duplicate.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from services.demo_page.mailbox import HOST, Mailbox
from services.inbox_api.context import read_limited
from shared.clock import now, to_text
from shared.connector import Channel
from shared.logs import Log
from shared.problems import problem
from shared.registry.channels import ChannelRegistry

MAIL, FORM, PHONE = "Почта (демо)", "Сайт (демо)", "Телефон (демо)"
ADDRESS = "demo@okno.example"
OUR_NUMBER = "+74950000000"
PAGE = Path(__file__).parent / "demo_page"
CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
MOST_CALLS = 5
READY_SECONDS = 60.0
log = Log("demo")


class ServerNotReady(Exception):
    """The server did not take the samples in READY_SECONDS."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next in a played call, after a pause in seconds."""

    pause: float
    state: str
    details: Mapping[str, object]


ANSWERED = (
    Step(0, "ringing", {}),
    Step(4, "answered", {"answered_by": "101", "waiting_seconds": 4}),
    Step(6, "finished", {"answered_by": "101", "waiting_seconds": 4, "talking_seconds": 6}),
)
MISSED = (Step(0, "ringing", {}), Step(6, "missed", {"waiting_seconds": 6}))


class Played(msgspec.Struct):
    """What the page asks for: a call from a number, or from any."""

    number: str | None = None
    missed: bool = False


class Demo:
    """`start` before the server takes requests is fine: the samples wait until it does."""

    def __init__(self, registry: ChannelRegistry, base_url: str, data: Path, pace: float = 1.0) -> None:
        """`base_url` is where this server listens; `pace` 0 plays calls without pauses."""
        self._registry, self._base_url, self._pace = registry, base_url, pace
        self._mailbox = Mailbox(data / "demo-mail")
        self._channels: dict[str, Channel] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Route("/demo", self._page),
            Route("/demo/call", self._call, methods=["POST"]),
            Route("/demo/mail", self._mail),
            Mount("/demo/static", StaticFiles(directory=PAGE / "static")),
        ]

    async def start(self) -> None:
        """Make the channels ready and begin to send the samples. Raises OSError if the mailbox's port is taken."""
        mail = await self._find(MAIL)
        port = await self._mailbox.start(int(mail.settings["smtp_port"]) if mail else 0)
        mail = mail or await self._add_mail(port)
        form = await self._find(FORM) or await self._registry.add("web_form", FORM, {"reply_channel": str(mail.id)})
        phone = await self._find(PHONE) or await self._add_phone()
        self._channels = {MAIL: mail, FORM: form, PHONE: phone}
        self._spawn(self._send_samples())

    async def leave(self) -> None:
        """Stop every call that is being played, and the samples: they are sent again at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Stop the mailbox and all that is being played."""
        await self.leave()
        await self._mailbox.stop()

    async def _find(self, name: str) -> Channel | None:
        return next((each.channel for each in await self._registry.all() if each.channel.name == name), None)

    async def _add_mail(self, port: int) -> Channel:
        smtp = {"smtp_host": HOST, "smtp_port": str(port), "smtp_security": "none"}
        return await self._registry.add("email", MAIL, {"address": ADDRESS, **smtp})

    async def _add_phone(self) -> Channel:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        return await self._registry.add("telephony", PHONE, {"secret": secret})

    # --- the page -----------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        page = (PAGE / "page.html").read_text(encoding="utf-8").replace("{form}", str(self._channels[FORM].id))
        return HTMLResponse(page, headers={"Content-Security-Policy": CSP, "Cache-Control": "no-cache"})

    async def _call(self, request: Request) -> Response:
        """Play a call from `number`, `missed` or answered."""
        try:
            asked = msgspec.json.decode(await read_limited(request) or b"{}", type=Played)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return problem(400, "Broken JSON", str(error))
        if len(self._tasks) >= MOST_CALLS:
            return problem(429, "Enough calls are being played", headers={"Retry-After": "10"})
        call_id, number = f"demo-{uuid4()}", (asked.number or "")[:40] or f"+7916{secrets.randbelow(10**7):07}"
        self._spawn(self._play(call_id, number, MISSED if asked.missed else ANSWERED, now()))
        return JSONResponse({"call_id": call_id, "number": number}, 202)

    async def _mail(self, request: Request) -> Response:
        items = self._mailbox.mails_to(request.query_params.get("address", ""))
        return JSONResponse({"items": items}, headers={"Cache-Control": "no-store"})

    # --- the client's side --------------------------------------------------------------------------------

    async def _send_samples(self) -> None:
        samples = json.loads((PAGE / "samples.json").read_text(encoding="utf-8"))
        await self._ready()
        for n, fields in enumerate(samples["forms"]):
            await self._post_form(fields, f"demo-sample-{n}")
        for n, call in enumerate(samples["calls"]):
            at = now() - timedelta(minutes=call["minutes_ago"])
            steps = MISSED if call["missed"] else ANSWERED
            await self._play(f"demo-sample-{n}", call["number"], steps, at, pace=0)

    async def _ready(self) -> None:
        """Wait until this server answers at all."""
        for _ in range(int(READY_SECONDS / 0.1)):
            with contextlib.suppress(OSError, HTTPException):
                await asyncio.to_thread(self._request, "GET", "/healthz", b"", {})
                return
            await asyncio.sleep(0.1)
        raise ServerNotReady(self._base_url)

    async def _post_form(self, fields: Mapping[str, str], key: str) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        body = json.dumps(fields).encode()
        await self._post(f"/in/forms/{self._channels[FORM].id}", body, headers)

    async def _play(
        self, call_id: str, number: str, steps: tuple[Step, ...], at: datetime, pace: float | None = None
    ) -> None:
        """Tell of a call as a provider does, step by step; `at` is when it began."""
        call = {"call_id": call_id, "from": number, "to": OUR_NUMBER, "direction": "inbound"}
        for step in steps:
            await asyncio.sleep(step.pause * (self._pace if pace is None else pace))
            at += timedelta(seconds=step.pause)
            event = {"type": f"call.{step.state}", "timestamp": to_text(at), "data": {**call, **step.details}}
            await self._post_webhook(f"{call_id}-{step.state}", event)

    async def _post_webhook(self, id_: str, event: Mapping[str, Any]) -> None:
        phone, body = self._channels[PHONE], json.dumps(event).encode()
        timestamp = str(int(now().timestamp()))
        key = base64.b64decode(phone.settings["secret"].removeprefix("whsec_"))
        signature = base64.b64encode(hmac.digest(key, f"{id_}.{timestamp}.".encode() + body, "sha256")).decode()
        headers = {"webhook-id": id_, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
        await self._post(f"/in/telephony/{phone.id}", body, {"Content-Type": "application/json", **headers})

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post until the server has taken it, as a provider does. Raises ServerNotReady."""
        for _ in range(int(READY_SECONDS)):
            if await asyncio.to_thread(self._request, "POST", path, body, headers) < 300:
                return
            await asyncio.sleep(1.0)
        raise ServerNotReady(path)

    def _request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        address = urlsplit(self._base_url)
        connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            return connection.getresponse().status

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("demo_failed", error)
