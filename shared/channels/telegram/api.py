"""The Bot API through aiogram, the only module that imports it (55 MB, one second): load it off the event loop.

Calls and answers are plain JSON: an update that aiogram's models refuse would hold up all that come after it, and a
sent message whose echo they refuse would have an unknown fate.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from aiohttp import ClientConnectorError, ConnectionTimeoutError
from pydantic import create_model
from typing_extensions import TypedDict  # pydantic does not take that of the standard library before Python 3.12

from shared.channels.telegram.build import Upload
from shared.channels.telegram.lean import models_unbuilt
from shared.channels.telegram.view import decoded

with models_unbuilt():
    from aiogram import Bot
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
    from aiogram.methods import Response, TelegramMethod
    from aiogram.types import BufferedInputFile
    from aiogram.utils.token import TokenValidationError

__all__ = [
    "SENDS",
    "Bot",
    "ClientDecodeError",
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
    "call",
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
_ONE = ("sendMessage", "sendPhoto", "sendDocument", "sendVoice", "sendAudio", "sendVideo", "sendAnimation")
SENDS = frozenset((*_ONE, "sendMediaGroup"))
"""What says something to a client."""
RETRY_AFTER_SECONDS = 5
"""What a refusal for too many requests asks for that does not say how long."""


class _Said(TypedDict):
    """What must be known of a message that was sent."""

    message_id: int


_ANSWERS: dict[str, Any] = {
    "getUpdates": list[dict[str, Any]],
    "getMe": dict[str, Any],
    "getWebhookInfo": dict[str, Any],
    "getFile": dict[str, Any],
    **dict.fromkeys(_ONE, _Said),
    "sendMediaGroup": list[_Said],
}
"""What the answer must be where we read it; anything else raises ClientDecodeError."""


class Session(AiohttpSession):
    """aiogram's, without a quarter of a second of sleep for every `close`; 429 is "later"; no error tells the token."""

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:
        """Raise as aiogram does, which names the address of the call, and so the token, in what people read."""
        try:
            return await super().make_request(bot, method, timeout)
        except TelegramNetworkError as error:
            raise TelegramNetworkError(method, error.message.replace(bot.token, "…")) from error.__cause__

    def check_response(self, bot: Bot, method: TelegramMethod[Any], status_code: int, content: str) -> Response[Any]:
        """Raise as aiogram does, which takes a 429 without `retry_after` (a proxy's) for some error or other."""
        try:
            return super().check_response(bot, method, status_code, content)
        except (TelegramRetryAfter, TelegramMigrateToChat):
            raise
        except (TelegramAPIError, ClientDecodeError) as error:
            if status_code != HTTPStatus.TOO_MANY_REQUESTS:
                raise
            raise TelegramRetryAfter(method, "Too Many Requests", RETRY_AFTER_SECONDS) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class _Call(TelegramMethod[Any]):
    """A method of the Bot API with whatever parameters."""

    __returning__ = Any
    __api_method__ = ""


def open_bot(settings: Mapping[str, str]) -> Bot:
    """Return the channel's bot; `session.close()` gives back its connections. Raises TokenValidationError."""
    url = settings["api_url"]
    server = TelegramAPIServer.from_base(url) if url else PRODUCTION
    return Bot(settings["token"], Session(api=server, json_loads=decoded))


def call(name: str, files: Mapping[str, bytes] = MappingProxyType({}), **params: object) -> TelegramMethod[Any]:
    """Return a call to be given to the bot, with the bytes of its files (by sha256) in their places."""
    return _method(name)(**{key: _filled(value, files) for key, value in params.items()})


def was_not_reached(error: BaseException) -> bool:
    """Whether no connection came about, so that nothing can have arrived."""
    cause = error.__cause__ or error.__context__
    return isinstance(cause, ClientConnectorError | ConnectionTimeoutError)


@cache
def _method(name: str) -> type[_Call]:
    method = create_model(name, __base__=_Call)
    method.__api_method__, method.__returning__ = name, _ANSWERS.get(name, Any)
    return method


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
