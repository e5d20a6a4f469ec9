"""The demo plays the client's side over this server's own HTTP, and shows the mails that answers become."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import aiosmtplib
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from services.demo import FORM, MAIL, PHONE, Demo
from shared.channels.telephony.parse import parse as parse_call
from shared.channels.web_form.parse import parse as parse_form
from shared.connector import BadInput, load
from shared.contracts.inbound import inbound_id
from shared.database.open import open_database
from shared.database.schema import create_tables
from shared.parsed import Parsed, RawItem
from shared.registry import channels
from shared.registry.channels import ChannelRegistry


class Okno:
    """A server with the demo's page and the two webhooks; it keeps what was accepted, each inbound id once."""

    def __init__(self, folder: Path, registry: ChannelRegistry) -> None:
        self._registry = registry
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.demo = Demo(registry, self.url, folder, pace=0)
        self.seen: dict[UUID, Parsed] = {}
        self.repeated = 0
        webhooks = [
            Route("/in/forms/{channel}", self._accept, methods=["POST"]),
            Route("/in/telephony/{channel}", self._accept, methods=["POST"]),
            Route("/healthz", lambda request: PlainTextResponse("ok")),
        ]
        self.app = Starlette(routes=[*webhooks, *self.demo.routes])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[httpx.AsyncClient]:
        server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve([self._socket]))
        await self.demo.start()
        try:
            async with httpx.AsyncClient(base_url=self.url, trust_env=False, verify=False) as client:
                yield client
        finally:
            await self.demo.stop()
            server.should_exit = True
            await serving

    def of_kind(self, kind: str) -> list[Parsed]:
        return [parsed for parsed in self.seen.values() if parsed.kind == kind]

    async def _accept(self, request: Request) -> Response:
        channel = (await self._registry.find(request.path_params["channel"])).channel
        inlet = OneRequest()
        try:
            response: Response = await load(channel.kind).module("receive").handle(request, channel, inlet)
        except BadInput as refused:
            return JSONResponse({"detail": refused.detail}, refused.status)
        parsed = (parse_form if channel.kind == "web_form" else parse_call)(inlet.items[0], channel)
        id_ = inbound_id(channel.id, parsed.dedup_key or parsed.external_id)
        self.repeated += id_ in self.seen
        self.seen[id_] = parsed
        return response


class OneRequest:
    """The inlet of one request."""

    public_url = ""

    def __init__(self) -> None:
        self.items: list[RawItem] = []

    async def accept(self, item: RawItem) -> UUID:
        self.items.append(item)
        return UUID(int=len(self.items))


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[ChannelRegistry]:
    database = open_database(f"sqlite:///{tmp_path / 'okno.db'}")
    create_tables(database, [channels.SCHEMA])
    yield ChannelRegistry(database, b"k" * 32)
    await database.close()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("waited 10 s for nothing")


async def test_the_samples_arrive_as_real_forms_and_calls(tmp_path: Path, registry: ChannelRegistry):
    okno = Okno(tmp_path, registry)
    async with okno.running():
        await until(lambda: len(okno.seen) == 12)
    forms, calls = okno.of_kind("form"), okno.of_kind("call")
    assert {"Анна Смирнова", "Oliver Bennett"} < {form.sender.name for form in forms}
    assert sum(form.reply_channel is not None for form in forms) == 4
    assert [call.call.state for call in calls if call.call] == [
        *("ringing", "missed"),
        *("ringing", "answered", "finished"),
        *("ringing", "missed"),
    ]


async def test_a_second_start_finds_its_channels_and_adds_nothing(tmp_path: Path, registry: ChannelRegistry):
    first = Okno(tmp_path, registry)
    async with first.running():
        await until(lambda: len(first.seen) == 12)
    before = await registry.all()
    second = Okno(tmp_path, registry)
    second.seen = first.seen
    async with second.running():
        await until(lambda: second.repeated == 12)
    assert await registry.all() == before
    assert [each.channel.name for each in before] == [MAIL, FORM, PHONE]
    assert len(second.seen) == 12


async def test_an_answer_sent_through_the_mail_channel_shows_in_the_clients_mailbox(
    tmp_path: Path, registry: ChannelRegistry
):
    okno = Okno(tmp_path, registry)
    async with okno.running() as client:
        settings = (await registry.find(MAIL)).channel.settings
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = settings["address"], "Вера <vera@example.com>", "Окна"
        mail.set_content("Замерщик приедет завтра.")
        host, port = settings["smtp_host"], int(settings["smtp_port"])
        await aiosmtplib.send(mail, hostname=host, port=port, use_tls=False, start_tls=False)
        answer = await client.get("/demo/mail", params={"address": "Vera@Example.com"})
        other = await client.get("/demo/mail", params={"address": "someone@example.com"})
    [item] = answer.json()["items"]
    assert (item["from"], item["subject"], item["text"].strip()) == (
        settings["address"],
        "Окна",
        "Замерщик приедет завтра.",
    )
    assert other.json() == {"items": []}
    again = Okno(tmp_path, registry)
    async with again.running() as client:
        assert len((await client.get("/demo/mail", params={"address": "vera@example.com"})).json()["items"]) == 1


async def test_a_call_from_the_page_rings_is_answered_and_ends(tmp_path: Path, registry: ChannelRegistry):
    okno = Okno(tmp_path, registry)
    async with okno.running() as client:
        answer = await client.post("/demo/call", json={"number": "8 916 555-03-42"})
        assert answer.status_code == 202
        call_id = answer.json()["call_id"]
        await until(lambda: len([c for c in okno.of_kind("call") if c.external_id == call_id]) == 3)
    told = [c for c in okno.of_kind("call") if c.external_id == call_id]
    assert [c.call.state for c in told if c.call] == ["ringing", "answered", "finished"]
    assert {c.sender.address for c in told} == {"+79165550342"}


async def test_a_missed_call_ends_unanswered(tmp_path: Path, registry: ChannelRegistry):
    okno = Okno(tmp_path, registry)
    async with okno.running() as client:
        call_id = (await client.post("/demo/call", json={"missed": True})).json()["call_id"]
        await until(lambda: len([c for c in okno.of_kind("call") if c.external_id == call_id]) == 2)
    assert [c.call.state for c in okno.of_kind("call") if c.call and c.external_id == call_id] == ["ringing", "missed"]


BROKEN = {"cut off": b"{", "a list": b"[]", "deep": b"[" * 100_000, "half a character": b'{"number":"\\ud800"}'}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_a_broken_request_for_a_call_is_refused(tmp_path: Path, registry: ChannelRegistry, body: bytes):
    async with Okno(tmp_path, registry).running() as client:
        assert (await client.post("/demo/call", content=body)).status_code == 400
        assert (await client.post("/demo/call", content=b" " * 2**20 + b"{}")).status_code == 413


async def test_the_page_posts_to_the_demos_form_and_needs_nothing_from_elsewhere(
    tmp_path: Path, registry: ChannelRegistry
):
    async with Okno(tmp_path, registry).running() as client:
        page = await client.get("/demo")
        form = (await registry.find(FORM)).channel
        assert f'action="/in/forms/{form.id}"' in page.text
        assert "<script>" not in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
        for name in ("demo.js", "demo.css"):
            assert (await client.get(f"/demo/static/{name}")).status_code == 200
        assert (await client.get("/demo/static/../samples.json")).status_code == 404
