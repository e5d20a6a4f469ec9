"""Fetches a client's file from Telegram: 20 MB at most, unless the channel has a Bot API server of its own."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from shared.channels.telegram.view import text
from shared.connector import Channel, FetchDelayed, FetchRefused
from shared.contracts.inbound import RemoteFile
from shared.parsed import ParsedFile
from shared.said import said

DOWNLOAD_BYTES = 20 * 1024 * 1024
DOWNLOAD_SECONDS = 110
UNAVAILABLE_SECONDS = 600.0
TOO_LARGE = (
    "{name} is larger than 20 MB, the most Telegram gives to a bot: open it in Telegram, or connect the bot through"
    " your own Bot API server (setting api_url)"
)
NOT_HERE = "{name} lies on the disk of your Bot API server, which Okno cannot read: run it without --local, or share it"


async def fetch(channel: Channel, remote_file: RemoteFile) -> ParsedFile:
    """Return a file's bytes. Raises FetchRefused (too large, gone) or FetchDelayed."""
    if (remote_file.size or 0) > DOWNLOAD_BYTES and not channel.settings["api_url"]:
        raise FetchRefused(TOO_LARGE.format(name=remote_file.name))
    api = await asyncio.to_thread(importlib.import_module, "shared.channels.telegram.api")
    bot = api.open_bot(channel.settings)
    try:
        path = await _path(api, bot, remote_file)
        is_on_disk = bool(channel.settings["api_url"]) and path.startswith("/")
        data = await (_read(bot, path, remote_file) if is_on_disk else _downloaded(bot, path, remote_file))
    finally:
        await bot.session.close()
    return ParsedFile(remote_file.name, remote_file.media_type, data, remote_file.content_id)


async def _path(api: ModuleType, bot: Any, remote_file: RemoteFile) -> str:
    """Ask where the file is."""
    try:
        found = await bot(api.call("getFile", file_id=remote_file.ref))
    except api.TelegramRetryAfter as error:
        raise FetchDelayed(said(error), float(error.retry_after)) from error
    except api.TelegramBadRequest as error:
        if "file is too big" in error.message:
            raise FetchRefused(TOO_LARGE.format(name=remote_file.name)) from error
        if "temporarily unavailable" in error.message:
            raise FetchDelayed(error.message, UNAVAILABLE_SECONDS) from error
        raise FetchRefused(f"Telegram does not give this file: {error.message}") from error
    except (api.TelegramAPIError, api.ClientDecodeError) as error:
        raise FetchDelayed(f"Telegram does not answer: {type(error).__name__}") from error
    if not (path := text(found, "file_path")):
        raise FetchDelayed("Telegram has the file not ready yet")
    return path


async def _downloaded(bot: Any, path: str, remote_file: RemoteFile) -> bytes:
    from aiohttp import ClientError

    data = bytearray()
    url = bot.session.api.file_url(bot.token, path)
    try:
        async for chunk in bot.session.stream_content(url, timeout=DOWNLOAD_SECONDS):
            data += chunk
    except (ClientError, TimeoutError) as error:
        raise FetchDelayed(f"the download of {remote_file.name} broke off: {type(error).__name__}") from error
    return bytes(data)


async def _read(bot: Any, path: str, remote_file: RemoteFile) -> bytes:
    """A server of one's own with --local names a file on its disk, in a folder that is called like the token."""
    if bot.token not in Path(path).parts or ".." in Path(path).parts:
        raise FetchRefused(NOT_HERE.format(name=remote_file.name))
    try:
        return await asyncio.to_thread(Path(path).read_bytes)
    except OSError as error:
        raise FetchRefused(NOT_HERE.format(name=remote_file.name)) from error
