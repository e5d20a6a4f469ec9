"""The server's side of HTTP: calls judged and logged, updates given until confirmed, webhooks delivered."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from tests.peers.telegram_api.bot import DAY_SECONDS, Bot, Json
from tests.peers.telegram_api.faults import Answer, Cut, Faults, Html
from tests.peers.telegram_api.methods import METHODS
from tests.peers.telegram_api.spec import load

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 60.0
"""Between deliveries of a webhook that fail; the official server begins at one second."""
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
OTHER_POLLER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
BAD_GATEWAY = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body>\r\n</html>"


@dataclass(frozen=True, slots=True)
class Called:
    """One call as it came; `status` 0: the connection was cut."""

    at: float
    token: str
    method: str
    params: Json
    files: dict[str, tuple[str, bytes]]
    status: int


class Api:
    """All bots of a server; runs in one event loop."""

    def __init__(self, tokens: list[str]) -> None:
        self.bots = {token: Bot(token) for token in tokens}
        self.faults = Faults()
        self.calls: list[Called] = []
        self._delivering: dict[str, asyncio.Task[None]] = {}

    def application(self) -> web.Application:
        application = web.Application(client_max_size=60 * 1024 * 1024)
        application.router.add_route("*", "/file/bot{token}/{path:.+}", self._file)
        application.router.add_route("*", "/bot{token}/{method}", self._call)
        application.on_startup.append(self._start_up)
        application.on_shutdown.append(self._shut_down)
        return application

    async def _call(self, request: web.Request) -> web.StreamResponse:
        bot = self.bots.get(request.match_info["token"])
        if bot is None:
            return _error(Answer(401, "Unauthorized"))
        method, (raw, files) = request.match_info["method"], await _form(request)
        params, wrong = load().call(method, raw, set(files))
        bot.violations += wrong
        at, status = time.time(), 0
        try:
            if wrong:
                raise Answer(404 if not params and "no such method" in wrong[0] else 400, f"Bad Request: {wrong[0]}")
            result = await self._do(bot, method, params, files)
            bot.violations += _wrong_result(method, result)
            status = 200
            return web.json_response({"ok": True, "result": result})
        except Answer as answer:
            status = answer.code
            return _error(answer)
        except Html:
            status = 502
            return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
        except Cut:
            _hang_up(request)
            return web.Response()
        finally:
            self.calls.append(Called(at, bot.token, method, params, files, status))

    async def _do(self, bot: Bot, method: str, params: Json, files: dict[str, tuple[str, bytes]]) -> Any:
        if self.faults.delay_seconds and method != "getUpdates":
            await asyncio.sleep(self.faults.delay_seconds)
        self.faults.raise_before(method, params)
        if method == "getUpdates":
            result: Any = await self._updates(bot, params)
        elif method in METHODS:
            result = METHODS[method](bot, params, files)
        else:
            raise Answer(404, "Not Found: method not found")
        if method in ("setWebhook", "deleteWebhook"):
            self._deliver(bot)
        self.faults.raise_after(method, params)
        return result

    async def _updates(self, bot: Bot, params: Json) -> list[Json]:
        """Long polling; an earlier poller is told that it is not alone."""
        if bot.webhook.url:
            raise Answer(409, WEBHOOK_ACTIVE)
        bot.allowed_updates = params.get("allowed_updates", bot.allowed_updates)
        if bot.poller is not None and not bot.poller.done():
            bot.poller.set_result(None)
        ours = bot.poller = asyncio.get_running_loop().create_future()
        limit = min(max(params.get("limit", 100), 1), 100)
        deadline = time.monotonic() + min(max(params.get("timeout", 0), 0), 50)
        while True:
            bot.news.clear()
            _expire(bot)
            if updates := bot.after(params.get("offset", 0), limit):
                return updates
            news = asyncio.ensure_future(bot.news.wait())
            await asyncio.wait({news, ours}, timeout=deadline - time.monotonic(), return_when="FIRST_COMPLETED")
            news.cancel()
            if ours.done():
                raise Answer(409, OTHER_POLLER)
            if bot.webhook.url:
                raise Answer(409, "Conflict: terminated by setWebhook request")
            if time.monotonic() >= deadline:
                return []

    async def _file(self, request: web.Request) -> web.StreamResponse:
        bot = self.bots.get(request.match_info["token"])
        data = bot and bot.files.get(request.match_info["path"].rpartition("/")[2])
        if data is None:
            return _error(Answer(404, "Not Found"))
        try:
            self.faults.raise_before("download", {})
        except Cut:
            _hang_up(request)
        return web.Response(body=data, content_type="application/octet-stream")

    # --- webhooks ---------------------------------------------------------------------------------------

    def _deliver(self, bot: Bot) -> None:
        if task := self._delivering.pop(bot.token, None):
            task.cancel()
        if bot.webhook.url:
            self._delivering[bot.token] = asyncio.create_task(self._deliver_all(bot))

    async def _deliver_all(self, bot: Bot) -> None:
        """Post what waits, the oldest first, until it is answered 2xx; the pause doubles while it is not."""
        pause = FIRST_PAUSE_SECONDS
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            while True:
                if not bot.updates:
                    bot.news.clear()
                    await bot.news.wait()
                    continue
                waiting = list(bot.updates)[: bot.webhook.max_connections]
                done = await asyncio.gather(*(_post(session, bot, update) for update in waiting))
                bot.confirm([u["update_id"] for u, ok in zip(waiting, done, strict=True) if ok], "webhook")
                if all(done):
                    pause = FIRST_PAUSE_SECONDS
                else:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _start_up(self, application: web.Application) -> None:
        """What belongs to the loop of an earlier start is made anew."""
        for bot in self.bots.values():
            bot.news, bot.poller = asyncio.Event(), None
            self._deliver(bot)

    async def _shut_down(self, application: web.Application) -> None:
        for task in self._delivering.values():
            task.cancel()
        for bot in self.bots.values():
            if bot.poller is not None and not bot.poller.done():
                bot.poller.set_result(None)
        await asyncio.gather(*self._delivering.values(), return_exceptions=True)
        self._delivering.clear()


async def _post(session: aiohttp.ClientSession, bot: Bot, update: Json) -> bool:
    headers = {"X-Telegram-Bot-Api-Secret-Token": bot.webhook.secret} if bot.webhook.secret else {}
    try:
        async with session.post(bot.webhook.url, json=update, headers=headers) as response:
            body = await response.read()
            if response.ok:
                _method_in_answer(bot, response, body)
                return True
            problem = f"Wrong response from the webhook: {response.status} {response.reason}"
    except (aiohttp.ClientError, TimeoutError) as error:
        problem = f"Connection failed: {error}"
    bot.webhook.last_error_at, bot.webhook.last_error = int(time.time()), problem
    return False


def _method_in_answer(bot: Bot, response: aiohttp.ClientResponse, body: bytes) -> None:
    """A webhook may answer with one method of the API."""
    if response.content_type != "application/json" or b'"method"' not in body:
        return
    raw = {name: str(value) for name, value in json.loads(body).items()}
    method = raw.pop("method")
    params, wrong = load().call(method, raw, set())
    bot.violations += wrong
    METHODS[method](bot, params, {})


def _expire(bot: Bot) -> None:
    """Updates live 24 hours."""
    oldest = time.time() - DAY_SECONDS
    while bot.updates and _date(bot.updates[0]) < oldest:
        bot.updates.popleft()


def _date(update: Json) -> float:
    body = next((each for each in update.values() if isinstance(each, dict)), {})
    return float(body.get("queued_at", time.time()))


def _wrong_result(method: str, result: Any) -> list[str]:
    """What the peer itself does wrong. Updates were judged when they were pushed."""
    if method == "getUpdates" or not load().methods:
        return []
    return [f"answer of the peer: {each}" for each in load().object(load().methods[method]["returns"], result, method)]


async def _form(request: web.Request) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    """Parameters and uploaded files, whichever way they were sent."""
    if request.content_type == "application/json":
        return {k: v if isinstance(v, str) else json.dumps(v) for k, v in (await request.json()).items()}, {}
    raw, files = dict(request.query), {}
    for name, value in (await request.post()).items():
        if isinstance(value, str):
            raw[name] = value
        elif isinstance(value, web.FileField):
            files[name] = value.filename, value.file.read()
    return raw, files


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _error(answer: Answer) -> web.Response:
    body: Json = {"ok": False, "error_code": answer.code, "description": answer.description}
    if answer.parameters:
        body["parameters"] = answer.parameters
    return web.json_response(body, status=answer.code)
