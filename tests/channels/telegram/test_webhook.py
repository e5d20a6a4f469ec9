"""The webhook: only Telegram is let in, and 200 means that the update is kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.channels.telegram import receive
from shared.channels.telegram.config import webhook_secret
from shared.connector import BadInput, Channel
from tests.channels.telegram.bots import CHANNEL_ID, MemoryInlet, bot_channel, message
from tests.peers.process import free_port
from tests.peers.telegram import TOKEN, TelegramServer

SECRET = webhook_secret(TOKEN)
UPDATE = json.dumps({"update_id": 5, "message": message(text="Здравствуйте")}).encode()


class Site:
    """Okno's side of the webhook on a port of its own."""

    def __init__(self) -> None:
        self.inlet, self.channel, self.port = MemoryInlet(), bot_channel(mode="webhook"), free_port()
        self.app = Starlette(routes=[Route(receive.PATH, self._answer, methods=list(receive.METHODS))])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in/telegram/{CHANNEL_ID}"

    async def post(self, body: bytes, secret: str | None = SECRET) -> httpx.Response:
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret is not None else {}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://okno.test") as client:
            return await client.post(f"/in/telegram/{CHANNEL_ID}", content=body, headers=headers)

    async def _answer(self, request: Request) -> Response:
        channel: Channel = self.channel
        try:
            return await receive.handle(request, channel, self.inlet)
        except BadInput as refused:
            return JSONResponse({"detail": refused.detail}, refused.status)
        except OSError:
            return Response(status_code=503)


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    """A site that is reachable over HTTP."""
    site = Site()
    server = uvicorn.Server(uvicorn.Config(site.app, port=site.port, log_level="critical", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    yield site
    server.should_exit = True
    await task


async def test_an_update_is_kept_as_it_came() -> None:
    site = Site()
    assert (await site.post(UPDATE)).status_code == 200
    [item] = site.inlet.items
    assert (item.data, item.key, site.inlet.texts()) == (UPDATE, "update/5", ["Здравствуйте"])


async def test_an_update_with_half_a_letter_is_kept_too() -> None:
    site, update = Site(), json.dumps({"update_id": 5, "message": message(text="\ud83d")}).encode()
    assert (await site.post(update)).status_code == 200
    assert ([item.data for item in site.inlet.items], site.inlet.texts()) == ([update], ["?"])


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET.upper(), SECRET + "0"])
async def test_strangers_are_refused_and_nothing_is_kept(secret: str | None) -> None:
    site = Site()
    assert (await site.post(UPDATE, secret)).status_code == 401
    assert site.inlet.items == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{}", b'{"update_id":"5"}', b'{"update_id":true}', b"\xff", b"[" * 100_000]
)
async def test_what_is_no_update_is_refused(body: bytes) -> None:
    site = Site()
    assert (await site.post(body)).status_code == 400
    assert site.inlet.items == []


async def test_a_bot_that_polls_has_no_webhook() -> None:
    site = Site()
    site.channel = bot_channel()
    assert (await site.post(UPDATE)).status_code == 404


async def test_a_pressed_button_stops_spinning() -> None:
    query: dict[str, Any] = {"id": "q1", "from": message()["from"], "chat_instance": "1", "data": "yes"}
    answer = await Site().post(json.dumps({"update_id": 5, "callback_query": query}).encode())
    assert answer.json() == {"method": "answerCallbackQuery", "callback_query_id": "q1"}


async def test_telegram_repeats_until_the_update_is_kept(telegram: TelegramServer, site: Site) -> None:
    site.inlet.fail_on = b"bad"
    kept: list[bool] = []
    telegram.bot.on_confirm = lambda ids: kept.extend(f"update/{id_}" in _keys(site) for id_ in ids)
    await _hook(telegram, site, SECRET)
    good, bad = telegram.say(1, 1, "good"), telegram.say(2, 2, "bad")
    await telegram.until(lambda: "503" in telegram.bot.webhook.last_error)
    site.inlet.fail_on = None
    await telegram.until(lambda: sorted(telegram.bot.confirmed_ids()) == [good, bad])
    assert (sorted(site.inlet.texts()), all(kept)) == (["bad", "good"], True)


async def test_a_webhook_with_another_secret_gets_nothing_through(telegram: TelegramServer, site: Site) -> None:
    await _hook(telegram, site, "x" * 64)
    telegram.say(1, 1, "kept back")
    await telegram.until(lambda: "401" in telegram.bot.webhook.last_error)
    assert (telegram.bot.confirmed_ids(), site.inlet.items) == ([], [])


async def _hook(telegram: TelegramServer, site: Site, secret: str) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        url = f"{telegram.url}/bot{TOKEN}/setWebhook"
        answer = await client.post(url, data={"url": site.url, "secret_token": secret})
        assert answer.json()["ok"]


def _keys(site: Site) -> set[str]:
    return {item.key for item in site.inlet.items}
