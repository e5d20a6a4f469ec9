"""Sends replies as a bot. sendMessage has no idempotency key: an answer that was lost leaves the fate unknown.

What changes an earlier message (edit, delete, react) may be repeated, so there a lost answer is tried again.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from shared.channels.telegram import api
from shared.channels.telegram.build import Call, CannotBuild, Upload, build, thread_of, typing
from shared.channels.telegram.failures import failure, partly
from shared.channels.telegram.pace import Paces
from shared.channels.telegram.places import Message, Thread
from shared.channels.telegram.view import whole
from shared.connector import Channel, ChannelDelayed, FileReader, SendDelayed, SendError, SendRefused, Sent
from shared.contracts.outbound import OutboundReply
from shared.said import said

SEND_SECONDS = 50.0
"""For all parts of a reply; whoever asked waits for 60."""
CALL_SECONDS = 30
UPLOAD_SECONDS = 50
LONGEST_PAUSE_SECONDS = 0.2
"""A first part that would have to wait longer is put off, so that it holds up no other chat."""
PAUSE_OF_BOT = "Telegram wants a pause from this bot"
NOT_MODIFIED = "message is not modified"
NO_TEXT = "there is no text in the message to edit"
GONE = "message to delete not found"


def sender(channel: Channel, read_file: FileReader) -> BotSender:
    """Return the sender of a bot."""
    return BotSender(channel, read_file)


@dataclass(slots=True)
class _Sending:
    """A reply on its way. Not frozen: parts get done."""

    deadline: float
    files: dict[str, bytes] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)


class BotSender:
    """The outbound role of a bot."""

    def __init__(self, channel: Channel, read_file: FileReader) -> None:
        self._channel, self._read_file = channel, read_file
        self._paces = Paces()
        self._moved: dict[int, int] = {}
        """Groups that became supergroups."""
        self._bot: api.Bot | None = None

    async def send(self, reply: OutboundReply) -> Sent:
        calls = self._built(reply)
        sending = _Sending(time.monotonic() + SEND_SECONDS)
        for number, call in enumerate(calls):
            try:
                await self._pace(sending, call, is_first=number == 0)
                sending.files = await self._files(call)
                result = await self._call(sending, call)
            except SendError as error:
                raise (partly(error, number, len(calls)) if sending.done else error) from error
            sending.done += _message_ids(result)
        return self._sent(reply, sending, calls)

    async def typing(self, thread_key: str) -> None:
        """Show the client that an operator is writing. Raises SendError; nobody depends on it."""
        try:
            call = typing(Thread.parse(thread_key))
        except ValueError as error:
            raise SendRefused(said(error)) from error
        at = time.monotonic()
        if wait := max(self._paces.closed_for(self._chat_of(call), at), self._paces.trial_wait(at)):
            raise SendDelayed("Telegram wants a pause", "429", wait)
        sending = _Sending(time.monotonic() + CALL_SECONDS)
        await self._call(sending, call)

    async def close(self) -> None:
        if self._bot is not None:
            await self._bot.session.close()
            self._bot = None

    # --- one call ---------------------------------------------------------------------------------------

    def _built(self, reply: OutboundReply) -> list[Call]:
        try:
            return build(reply, bool(self._channel.settings["api_url"]))
        except CannotBuild as error:
            raise SendRefused(said(error)) from error

    async def _files(self, call: Call) -> dict[str, bytes]:
        try:
            return {sha256: await self._read_file(sha256) for sha256 in _uploads(call.params)}
        except FileNotFoundError as error:
            raise SendRefused(f"an attachment is not in the store: {error}") from error

    async def _pace(self, sending: _Sending, call: Call, *, is_first: bool) -> None:
        """Wait for the chat and the bot; a reply whose first part would wait long is put off instead."""
        chat_id = self._chat_of(call)
        while wait := self._paces.chat_wait(chat_id, time.monotonic()):
            if (is_first and wait > LONGEST_PAUSE_SECONDS) or time.monotonic() + wait > sending.deadline:
                raise SendDelayed(f"Telegram wants a pause of {wait:.0f} s in this chat", "429", wait)
            await asyncio.sleep(wait)
        if is_first and (wait := self._paces.trial_wait(time.monotonic())):
            raise ChannelDelayed(PAUSE_OF_BOT, "429", wait, wait)
        wait = self._paces.bot_wait(time.monotonic())
        self._paces.take(chat_id, time.monotonic())  # before the pause: who asks meanwhile comes after us
        await asyncio.sleep(wait)

    async def _call(self, sending: _Sending, call: Call) -> Any:
        """Make one call; a group that moved is followed, a chat that is flooded waited for within a reply."""
        while True:
            chat_id = self._chat_of(call)
            params = {**call.params, "chat_id": chat_id} if "chat_id" in call.params else call.params
            try:
                result = await self._made(Call(call.method, params), sending.files)
                self._answered(call)
                return result
            except SendRefused:
                self._answered(call)  # like any other: it is the client who wants nothing
                raise
            except api.TelegramMigrateToChat as moved:
                if self._moved.get(chat_id) == moved.migrate_to_chat_id or moved.migrate_to_chat_id == chat_id:
                    raise SendRefused("Telegram sends this group in circles") from moved
                self._moved[chat_id] = moved.migrate_to_chat_id
            except api.TelegramRetryAfter as later:
                self._paces.refused(chat_id, later.retry_after, time.monotonic())
                if not sending.done or time.monotonic() + later.retry_after > sending.deadline:
                    raise self._delayed(later.retry_after) from later
                await asyncio.sleep(later.retry_after)

    def _answered(self, call: Call) -> None:
        """Only a message that was said tells that messages may be said: the rest has limits of its own."""
        if call.method in api.SENDS:
            self._paces.accepted()

    def _delayed(self, seconds: int) -> SendDelayed:
        if rests := self._paces.trial_wait(time.monotonic()):
            return ChannelDelayed(PAUSE_OF_BOT, "429", float(seconds), rests)
        return SendDelayed(f"Telegram wants a pause of {seconds} s in this chat", "429", float(seconds))

    async def _made(self, call: Call, files: dict[str, bytes]) -> Any:
        """Raises SendError, or what is to be dealt with before the call is given up."""
        bot, seconds = self._open(), UPLOAD_SECONDS if files else CALL_SECONDS
        try:
            return await bot(api.call(call.method, files, **call.params), request_timeout=seconds)
        except (api.TelegramMigrateToChat, api.TelegramRetryAfter):
            raise
        except api.TelegramBadRequest as error:
            if NOT_MODIFIED in error.message or (GONE in error.message and call.method == "deleteMessage"):
                return True  # it is as it was asked to be
            if NO_TEXT in error.message and call.method == "editMessageText":
                return await self._made(_as_caption(call), files)
            raise failure(error, call.method) from error
        except (api.TelegramAPIError, api.ClientDecodeError) as error:
            raise failure(error, call.method) from error

    def _open(self) -> api.Bot:
        if self._bot is None:
            self._bot = api.open_bot(self._channel.settings)
        return self._bot

    def _chat_of(self, call: Call) -> int:
        chat_id = call.params.get("chat_id")
        chat_id = chat_id if isinstance(chat_id, int) else 0
        return self._moved.get(chat_id, chat_id)

    def _sent(self, reply: OutboundReply, sending: _Sending, calls: list[Call]) -> Sent:
        """Return the ids of what was said; an edit or a reaction is known by the message it changed."""
        if reply.action != "message":
            return Sent(reply.target)
        message = Message(self._chat_of(calls[0]), tuple(sending.done), thread_of(reply).business)
        return Sent(str(message), message.each if len(message.ids) > 1 else ())


def _message_ids(result: Any) -> list[int]:
    messages = result if isinstance(result, list) else [result]
    return [whole(each, "message_id") for each in messages if isinstance(each, dict) and "message_id" in each]


def _uploads(value: object) -> list[str]:
    match value:
        case Upload():
            return [value.sha256]
        case dict():
            return [sha256 for each in value.values() for sha256 in _uploads(each)]
        case list():
            return [sha256 for each in value for sha256 in _uploads(each)]
        case _:
            return []


def _as_caption(call: Call) -> Call:
    """The message that is edited is a file: its caption is its text."""
    names = {"text": "caption", "entities": "caption_entities"}
    return Call("editMessageCaption", {names.get(name, name): value for name, value in call.params.items()})
