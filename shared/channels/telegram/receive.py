"""Both ways to receive, by the channel's mode: a webhook answers 200, and a poll goes on, only after `accept` returned.

The polling side imports aiogram, so it is loaded when a bot polls, and not by a server that has none.
"""

from __future__ import annotations

import asyncio
import hmac
import importlib
from types import ModuleType

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.channels.telegram import config
from shared.channels.telegram.view import Json, decoded, text, whole
from shared.clock import now
from shared.connector import BadInput, Channel, Inlet
from shared.parsed import RawItem

PATH = "/in/telegram/{channel}"
METHODS = ("POST",)
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 (the name of a header)


def receiver(channel: Channel, inlet: Inlet) -> LateReceiver:
    """Return the polling receiver, or in mode webhook one that watches whether the webhook is well."""
    return LateReceiver(channel, inlet)


class LateReceiver:
    """Loads what it needs beside the event loop, then receives."""

    def __init__(self, channel: Channel, inlet: Inlet) -> None:
        self._channel, self._inlet = channel, inlet

    async def run(self) -> None:
        polling: ModuleType = await asyncio.to_thread(importlib.import_module, "shared.channels.telegram.polling")
        is_webhook = self._channel.settings["mode"] == config.WEBHOOK
        kind = polling.WebhookWatch if is_webhook else polling.Poller
        await kind(self._channel, self._inlet).run()


async def handle(request: Request, channel: Channel, inlet: Inlet) -> Response:
    """Accept one update. A bot that polls has no webhook: 404."""
    if channel.settings["mode"] != config.WEBHOOK:
        raise BadInput(404, "No webhook", "This bot is set to polling.")
    _refuse_strangers(request, channel)
    data = await request.body()
    update = _update(data)
    await inlet.accept(item_of(data, update))
    return _answer(update)


def item_of(data: bytes, update: Json, username: str = "") -> RawItem:
    """Return an update as it is kept; its id tells it from others, should nobody understand it."""
    context = {"username": username} if username else {}
    return RawItem(data, "application/json", now(), f"update/{whole(update, 'update_id')}", context)


def _refuse_strangers(request: Request, channel: Channel) -> None:
    """https://core.telegram.org/bots/api#setwebhook, secret_token."""
    expected = config.webhook_secret(channel.settings["token"])
    given = request.headers.get(SECRET_HEADER, "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        raise BadInput(401, "Not authentic", "The secret token of the webhook is missing or wrong.")


def _update(data: bytes) -> Json:
    try:
        update = decoded(data)
    except (ValueError, RecursionError):
        update = None
    if not isinstance(update, dict) or type(update.get("update_id")) is not int:
        raise BadInput(400, "Not an update", "The body must be a JSON object with an update_id.")
    return update


def _answer(update: Json) -> Response:
    """A pressed button stops spinning by the method that a webhook may answer with."""
    query = update.get("callback_query")
    if isinstance(query, dict) and (id_ := text(query, "id")):
        body = msgspec.json.encode({"method": "answerCallbackQuery", "callback_query_id": id_})
        return Response(body, media_type="application/json")
    return Response(status_code=200)
