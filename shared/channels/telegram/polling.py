"""Long polling: asking from an id on confirms all before it, so that is asked only when they are durable.

In mode webhook the same task watches over the webhook instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from shared.channels.telegram import api, config, notices
from shared.channels.telegram.cursor import NEVER, Place
from shared.channels.telegram.parse import thread_of
from shared.channels.telegram.receive import item_of
from shared.channels.telegram.view import Json, obj, text, whole
from shared.clock import now
from shared.connector import Channel, Inlet
from shared.logs import Log
from shared.parsed import RawItem
from shared.said import said

LIMIT = 100
POLL_SECONDS = 25
ANSWER_SECONDS = POLL_SECONDS + 15
CONFLICT_SECONDS = 30.0
"""Between looks whether the other poller has gone: asking more often would only take its updates."""
OWN_WEBHOOK_SECONDS = 6.0
"""A webhook of ours while we poll may be that of the mode the channel has just been changed to: then we are stopped."""
WEBHOOK_THERE = "webhook is active"
"""Of Telegram's words for a conflict; those for another poller are others."""
TOKEN_SECONDS = 60.0
WATCH_SECONDS = 60.0
IDLE_SAVE_SECONDS = 600
"""How often the place of a silent bot is saved, so that we know for how long we were away."""
OTHER_POLLER = (
    "Another program receives the updates of this bot: stop it, or give Okno a bot of its own. Until then"
    " messages reach only one of the two."
)
FOREIGN_WEBHOOK = (
    "A webhook of this bot is set to {url}: Telegram gives nothing to polling. Remove it (deleteWebhook),"
    " or set mode to webhook."
)
WRONG_TOKEN = "Telegram does not know this token any more: get a new one from @BotFather and set it here."  # noqa: S105
NO_WEBHOOK = "No webhook is set for this bot{where}: run `okno channels renew`, or set mode to polling."
FAILING_WEBHOOK = "Telegram cannot deliver updates to {url}: {error}"
log = Log("telegram.polling")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the parts of receiving wait; shorter in tests."""

    poll_seconds: int = POLL_SECONDS
    conflict_seconds: float = CONFLICT_SECONDS
    watch_seconds: float = WATCH_SECONDS
    own_webhook_seconds: float = OWN_WEBHOOK_SECONDS


class Poller:
    """Receives until cancelled; what fails besides conflicts ends `run`, and a new one goes on from the cursor."""

    def __init__(self, channel: Channel, inlet: Inlet, pace: Pace | None = None) -> None:
        self._channel, self._inlet, self._pace = channel, inlet, pace or Pace()
        self._username, self._saved_at = "", NEVER

    async def run(self) -> None:
        bot = api.open_bot(self._channel.settings)
        try:
            await self._forever(bot)
        finally:
            await bot.session.close()

    async def _forever(self, bot: api.Bot) -> None:
        place = await _resume(self._channel, self._inlet)
        try:
            while True:
                place = await self._turn(bot, place)
        except (api.TelegramNetworkError, api.TelegramServerError, api.ClientDecodeError) as error:
            raise ConnectionError(f"Telegram cannot be reached: {_words(error)}") from error

    async def _turn(self, bot: api.Bot, place: Place) -> Place:
        """Poll once; what only time or a person can mend is said and waited for."""
        try:
            if not self._username:
                self._username = text(await bot(api.call("getMe")), "username")
            return await self._poll(bot, place)
        except api.TelegramConflictError as error:
            await self._explain(bot, said(error))
        except (api.TelegramUnauthorizedError, api.TelegramNotFound):
            self._inlet.report(problem=WRONG_TOKEN)
            await asyncio.sleep(TOKEN_SECONDS)
        except api.TelegramRetryAfter as error:
            await asyncio.sleep(error.retry_after)
        return place

    async def _poll(self, bot: api.Bot, place: Place) -> Place:
        """Take what waits and return the place behind it; it is saved only when all of it is accepted."""
        ask = api.call(
            "getUpdates",
            offset=place.next_id or None,
            limit=LIMIT,
            timeout=self._pace.poll_seconds,
            allowed_updates=api.ALLOWED_UPDATES,
        )
        updates = await bot(ask, request_timeout=ANSWER_SECONDS)
        at = now()
        ids = [whole(update, "update_id") for update in updates]
        await self._note_gaps(place.gaps(ids, at))
        await self._accept(updates)
        reached = place.after(ids, at)
        if updates or (at - self._saved_at).total_seconds() > IDLE_SAVE_SECONDS:
            await self._inlet.cursor.save(str(reached))
            self._saved_at = at
        self._inlet.report(lag=0 if len(updates) < LIMIT else LIMIT, problem=None)
        await self._stop_spinning(bot, updates)
        return reached

    async def _note_gaps(self, gaps: Sequence[tuple[int, int]]) -> None:
        for first, last in gaps:
            log.warning("updates_missing", channel_id=self._channel.id, first=first, last=last)
            await self._inlet.accept(notices.gap(first, last, now()))

    async def _accept(self, updates: Sequence[Json]) -> None:
        """Accept the updates of different chats at once, those of one chat in their order. Raises what one raised."""
        chats: dict[str, list[RawItem]] = {}
        for update in updates:
            item = item_of(msgspec.json.encode(update), update, self._username)
            chats.setdefault(thread_of(update), []).append(item)
        try:
            async with asyncio.TaskGroup() as group:
                for items in chats.values():
                    group.create_task(self._in_order(items))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _in_order(self, items: Sequence[RawItem]) -> None:
        for item in items:
            await self._inlet.accept(item)

    async def _stop_spinning(self, bot: api.Bot, updates: Sequence[Json]) -> None:
        """Tell pressed buttons that they were heard; one pressed long ago has stopped by itself (400)."""
        for query_id in filter(None, (text(obj(update, "callback_query"), "id") for update in updates)):
            try:
                await bot(api.call("answerCallbackQuery", callback_query_id=query_id))
            except api.TelegramBadRequest:
                log.info("button_too_old", channel_id=self._channel.id)

    async def _explain(self, bot: api.Bot, words: str) -> None:
        """409: a webhook is left over, or somebody else polls. A webhook of our own goes when the mode was changed.

        That may be between Telegram's words and our question, which then finds none: nobody is in the way any more.
        """
        url = text(await bot(api.call("getWebhookInfo")), "url")
        if url.endswith(config.public_path(self._channel.id)):
            await asyncio.sleep(self._pace.own_webhook_seconds)
            log.info("own_webhook_removed", channel_id=self._channel.id)
            await bot(api.call("deleteWebhook", drop_pending_updates=False))
            return
        if not url and WEBHOOK_THERE in words:
            await asyncio.sleep(self._pace.own_webhook_seconds)
            return
        self._inlet.report(problem=FOREIGN_WEBHOOK.format(url=url) if url else OTHER_POLLER)
        await asyncio.sleep(self._pace.conflict_seconds)


class WebhookWatch:
    """Says what Telegram thinks of our webhook, and how many updates wait for it.

    The saved place forgets the ids, which the webhook takes in any order: should polling follow, it finds no gaps.
    """

    def __init__(self, channel: Channel, inlet: Inlet, pace: Pace | None = None) -> None:
        self._channel, self._inlet, self._pace = channel, inlet, pace or Pace()

    async def run(self) -> None:
        bot = api.open_bot(self._channel.settings)
        try:
            await _resume(self._channel, self._inlet)
            while True:
                await self._look(bot)
                await asyncio.sleep(self._pace.watch_seconds)
        finally:
            await bot.session.close()

    async def _look(self, bot: api.Bot) -> None:
        try:
            info = await self._info(bot)
        except (api.TelegramUnauthorizedError, api.TelegramNotFound):
            self._inlet.report(problem=WRONG_TOKEN)
            return
        except (api.TelegramNetworkError, api.TelegramServerError, api.ClientDecodeError) as error:
            raise ConnectionError(f"Telegram cannot be reached: {_words(error)}") from error
        waiting = whole(info, "pending_update_count")
        self._inlet.report(lag=waiting, problem=self._problem(info))
        await self._forget_ids(info)

    async def _forget_ids(self, info: Json) -> None:
        if not whole(info, "pending_update_count"):
            await self._inlet.cursor.save(str(Place(asked_at=now())))

    async def _info(self, bot: api.Bot) -> Json:
        """Look twice where our webhook is not there: while the mode is changed it is not set yet."""
        info: Json = await bot(api.call("getWebhookInfo"))
        if self._is_ours(info):
            return info
        await self._forget_ids(info)  # now: the mode may be changed back before the second look
        await asyncio.sleep(self._pace.own_webhook_seconds)
        again: Json = await bot(api.call("getWebhookInfo"))
        return again

    def _is_ours(self, info: Json) -> bool:
        return text(info, "url").endswith(config.public_path(self._channel.id))

    def _problem(self, info: Json) -> str | None:
        url, error = text(info, "url"), text(info, "last_error_message")
        if not self._is_ours(info):
            return NO_WEBHOOK.format(where=f", it is at {url}" if url else "")
        if error and whole(info, "pending_update_count"):
            return FAILING_WEBHOOK.format(url=url, error=error)
        return None


async def _resume(channel: Channel, inlet: Inlet) -> Place:
    """Return where to go on, and note it when Telegram has dropped updates meanwhile."""
    saved = await inlet.cursor.load()
    place, at = Place.parse(saved) if saved else Place(), now()
    if place.was_away(at):
        log.warning("away_too_long", channel_id=channel.id, since=place.asked_at)
        await inlet.accept(notices.away(place.asked_at, at))
    return place


def _words(error: Exception) -> str:
    """Return what went wrong in one line, without the page a proxy sent instead of an answer."""
    return "an answer that is no JSON" if isinstance(error, api.ClientDecodeError) else said(error).splitlines()[0]
