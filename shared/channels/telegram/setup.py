"""Connects a bot: who it is, how updates come, and what is missing. Nothing that waits for the bot is dropped."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from shared.channels.telegram import config
from shared.channels.telegram.view import person, text
from shared.connector import Channel, SetUp, SetUpProblem
from shared.said import said

_PORTS = (None, 80, 88, 443, 8443)
WRONG_TOKEN = "Telegram does not know this token: copy it again from @BotFather."  # noqa: S105
NO_ADDRESS = (
    "mode webhook needs an address Telegram can reach: set OKNO_PUBLIC_URL to https://..., or use mode polling, which"
    " needs none."
)
PRIVACY = (
    "privacy mode is on: in groups the bot only sees what is addressed to it. To see everything, send /setprivacy to"
    " @BotFather, choose Disable, and add the bot to its groups again"
)
BUSINESS = (
    "it cannot be connected to a business account: allow it in @BotFather, Bot Settings, Business Mode, if you want to"
    " answer as a business account"
)


async def set_up(channel: Channel, public_url: str, say: Callable[[str], None]) -> SetUp:
    """Check the token, set or remove the webhook, and say what is missing. Raises SetUpProblem."""
    api = await asyncio.to_thread(importlib.import_module, "shared.channels.telegram.api")
    try:
        bot = api.open_bot(channel.settings)
    except api.TokenValidationError as error:
        raise SetUpProblem(WRONG_TOKEN) from error
    try:
        return await _set_up(api, bot, channel, public_url)
    except (api.TelegramUnauthorizedError, api.TelegramNotFound) as error:
        raise SetUpProblem(WRONG_TOKEN) from error
    except (api.TelegramAPIError, api.ClientDecodeError) as error:
        server = channel.settings["api_url"] or config.PUBLIC_API
        raise SetUpProblem(f"{server} does not answer as Telegram would: {said(error).splitlines()[0]}") from error
    finally:
        await bot.session.close()


async def _set_up(api: ModuleType, bot: Any, channel: Channel, public_url: str) -> SetUp:
    me = await bot(api.call("getMe"))
    if channel.settings["mode"] == config.WEBHOOK:
        receives = await _set_webhook(api, bot, channel, public_url)
    else:
        receives = await _remove_webhook(api, bot)
    missing = [] if me.get("can_read_all_group_messages") else [PRIVACY]
    missing += [] if me.get("can_connect_to_business") else [BUSINESS]
    return SetUp((f"The bot is {person(me)}.", receives), tuple(missing), {"username": text(me, "username")})


async def _set_webhook(api: ModuleType, bot: Any, channel: Channel, public_url: str) -> str:
    url = public_url.rstrip("/") + config.public_path(channel.id)
    parts = urlsplit(url)
    if not channel.settings["api_url"] and (parts.scheme != "https" or parts.port not in _PORTS):
        raise SetUpProblem(NO_ADDRESS)
    if not parts.hostname:
        raise SetUpProblem(NO_ADDRESS)
    secret = config.webhook_secret(channel.settings["token"])
    allowed = api.ALLOWED_UPDATES
    await bot(api.call("setWebhook", url=url, secret_token=secret, allowed_updates=allowed, max_connections=40))
    return f"Telegram posts updates to {url}."


async def _remove_webhook(api: ModuleType, bot: Any) -> str:
    url = text(await bot(api.call("getWebhookInfo")), "url")
    if not url:
        return "Updates come by polling; no public address is needed."
    await bot(api.call("deleteWebhook", drop_pending_updates=False))
    return f"Updates come by polling; the webhook to {url} was removed, nothing that waited is lost."
