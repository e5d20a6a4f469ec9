"""The Bot API through aiogram, the only module that imports it (165 MB, two seconds): load it off the event loop.

Updates are taken as raw JSON: one that aiogram's models refuse would otherwise hold up all that come after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiogram import Bot, methods
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import TelegramMethod
from aiogram.types import BufferedInputFile
from aiogram.utils.token import TokenValidationError
from aiohttp import ClientConnectorError, ConnectionTimeoutError

from shared.channels.telegram.build import Upload

__all__ = [
    "Bot",
    "ClientDecodeError",
    "RawUpdates",
    "TelegramAPIError",
    "TelegramBadRequest",
    "TelegramConflictError",
    "TelegramEntityTooLarge",
    "TelegramForbiddenError",
    "TelegramMigrateToChat",
    "TelegramNetworkError",
    "TelegramNotFound",
    "TelegramRetryAfter",
    "TelegramServerError",
    "TelegramUnauthorizedError",
    "TokenValidationError",
    "method_of",
    "methods",
    "open_bot",
    "was_not_reached",
]

ALLOWED_UPDATES = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "message_reaction",
    "message_reaction_count",
    "callback_query",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_join_request",
]
"""Everything a business may hear of; reactions come only to those who ask for them."""
_METHODS: dict[str, type[TelegramMethod[Any]]] = {
    "sendMessage": methods.SendMessage,
    "sendPhoto": methods.SendPhoto,
    "sendDocument": methods.SendDocument,
    "sendVoice": methods.SendVoice,
    "sendAudio": methods.SendAudio,
    "sendVideo": methods.SendVideo,
    "sendAnimation": methods.SendAnimation,
    "sendMediaGroup": methods.SendMediaGroup,
    "editMessageText": methods.EditMessageText,
    "editMessageCaption": methods.EditMessageCaption,
    "deleteMessage": methods.DeleteMessage,
    "deleteBusinessMessages": methods.DeleteBusinessMessages,
    "setMessageReaction": methods.SetMessageReaction,
    "sendChatAction": methods.SendChatAction,
}


class Session(AiohttpSession):
    """aiogram's, without a quarter of a second of sleep for every `close`."""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class RawUpdates(TelegramMethod[list[dict[str, Any]]]):
    """getUpdates as Telegram wrote it."""

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"

    offset: int | None = None
    limit: int | None = None
    timeout: int | None = None
    allowed_updates: list[str] | None = None


def open_bot(settings: Mapping[str, str]) -> Bot:
    """Return the channel's bot; `session.close()` gives back its connections. Raises TokenValidationError."""
    url = settings["api_url"]
    server = TelegramAPIServer.from_base(url) if url else PRODUCTION
    return Bot(settings["token"], Session(api=server, json_loads=msgspec.json.decode))


def method_of(name: str, params: Mapping[str, object], files: Mapping[str, bytes]) -> TelegramMethod[Any]:
    """Return a call that was built, with the bytes of its files (by sha256) in their places."""
    return _METHODS[name](**{key: _filled(value, files) for key, value in params.items()})


def was_not_reached(error: BaseException) -> bool:
    """Whether no connection came about, so that nothing can have arrived."""
    cause = error.__cause__ or error.__context__
    return isinstance(cause, ClientConnectorError | ConnectionTimeoutError)


def _filled(value: object, files: Mapping[str, bytes]) -> object:
    match value:
        case Upload():
            return BufferedInputFile(files[value.sha256], value.name)
        case dict():
            return {key: _filled(each, files) for key, each in value.items()}
        case list():
            return [_filled(each, files) for each in value]
        case _:
            return value
