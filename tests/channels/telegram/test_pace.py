"""When the next call may be made, by a clock of the test; and a bot that Telegram refuses as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from uuid import UUID

import pytest

from shared.channels.telegram.api import RETRY_AFTER_SECONDS
from shared.channels.telegram.pace import REFUSED_CHATS, TRIAL_SECONDS, Paces
from shared.channels.telegram.send import BotSender, sender
from shared.connector import ChannelDelayed, SendDelayed, SendRefused, Sent
from tests.channels.telegram.bots import bot_channel, reply
from tests.peers.telegram import TelegramServer
from tests.peers.telegram_api.bot import private_chat

CHATS = range(100, 100 + REFUSED_CHATS)


def refused_everywhere(seconds: float = 30) -> Paces:
    """A bot whose last calls, to so many chats, were all answered 429."""
    paces = Paces()
    for chat in CHATS:
        paces.refused(chat, seconds, 0.0)
    return paces


def test_a_chat_that_is_flooded_keeps_only_itself_waiting():
    paces = Paces()
    for _ in range(2 * REFUSED_CHATS):
        paces.refused(7, 30, 0.0)
    assert (paces.chat_wait(7, 1.0), paces.chat_wait(8, 1.0), paces.bot_wait(1.0)) == (29.0, 0.0, 0.0)


def test_a_bot_that_is_refused_in_every_chat_tries_one_at_a_time():
    paces = refused_everywhere()
    assert paces.bot_wait(0.0) == TRIAL_SECONDS
    assert paces.bot_wait(TRIAL_SECONDS) == 0.0
    paces.take(8, TRIAL_SECONDS)
    assert paces.bot_wait(TRIAL_SECONDS) == TRIAL_SECONDS


def test_parts_that_wait_for_a_trial_get_their_turns_one_after_the_other():
    paces = refused_everywhere()
    turns = []
    for chat in (8, 9, 10):
        turns.append(paces.bot_wait(0.0))
        paces.take(chat, 0.0)
    assert turns == [TRIAL_SECONDS, 2 * TRIAL_SECONDS, 3 * TRIAL_SECONDS]


def test_a_trial_is_no_longer_than_telegram_says():
    assert refused_everywhere(0.5).bot_wait(0.0) == 0.5


def test_one_call_that_is_taken_ends_the_trial():
    paces = refused_everywhere()
    paces.accepted()
    assert (paces.bot_wait(0.0), paces.chat_wait(CHATS[0], 0.0)) == (0.0, 30.0)


async def test_a_bot_refused_as_a_whole_asks_once_a_second_and_is_back_at_once(telegram: TelegramServer) -> None:
    telegram.bot.chats.update({chat: private_chat(chat) for chat in range(100, 160)})
    telegram.faults.answer(429, "Too Many Requests: retry after 30", times=REFUSED_CHATS, retry_after=30)
    bot = sender(bot_channel(telegram.url), no_file)
    try:
        for chat in CHATS:
            with pytest.raises(SendDelayed):
                await bot.send(reply("Да", chat=chat))
        results = [await said(bot.send(reply("Да", chat=chat, id=UUID(int=chat)))) for chat in range(130, 150)]
        assert results == ["soon"] * 20
        assert len(telegram.calls("sendMessage")) == REFUSED_CHATS
        with pytest.raises(SendDelayed):
            await bot.typing("129")
        await asyncio.sleep(TRIAL_SECONDS)
        telegram.faults.answer(403, "Forbidden: bot was blocked by the user", chat_id=150)
        results = [await said(bot.send(reply("Да", chat=chat))) for chat in range(150, 153)]
        assert results == ["refused", "sent", "sent"]
    finally:
        await bot.close()


async def test_the_last_refusal_that_makes_it_the_bots_rests_the_channel(telegram: TelegramServer) -> None:
    telegram.bot.chats.update({chat: private_chat(chat) for chat in CHATS})
    telegram.faults.answer(429, "Too Many Requests: retry after 30", times=REFUSED_CHATS, retry_after=30)
    bot = sender(bot_channel(telegram.url), no_file)
    try:
        refusals = [await refusal(bot, chat) for chat in CHATS]
    finally:
        await bot.close()
    assert [type(each) for each in refusals] == [SendDelayed] * (REFUSED_CHATS - 1) + [ChannelDelayed]
    assert {each.retry_after_seconds for each in refusals} == {30.0}
    assert 0 < getattr(refusals[-1], "rests_seconds", 0) <= TRIAL_SECONDS


async def refusal(bot: BotSender, chat: int) -> SendDelayed:
    with pytest.raises(SendDelayed) as refused:
        await bot.send(reply("Да", chat=chat))
    return refused.value


@pytest.mark.parametrize("change", ["typing", "edit", "refused edit"])
async def test_what_says_nothing_does_not_end_the_pause_of_a_bot(telegram: TelegramServer, change: str) -> None:
    telegram.bot.chats.update({chat: private_chat(chat) for chat in range(90, 120)})
    bot = sender(bot_channel(telegram.url), no_file)
    try:
        earlier = await bot.send(reply("Раз", chat=90))
        telegram.faults.answer(429, "Too Many Requests: retry after 30", times=REFUSED_CHATS, retry_after=30)
        for chat in CHATS:
            await refusal(bot, chat)
        await asyncio.sleep(TRIAL_SECONDS)
        if change == "typing":
            await bot.typing("90")
        else:
            known = earlier.external_id if change == "edit" else "90:4711"
            await said(bot.send(reply("Два", chat=90, action="edit", target=known)))
        telegram.faults.answer(429, "Too Many Requests: retry after 30", retry_after=30)
        assert isinstance(await refusal(bot, 111), ChannelDelayed)
    finally:
        await bot.close()


async def test_a_refusal_for_too_many_requests_that_names_no_time_is_later(telegram: TelegramServer) -> None:
    telegram.bot.chats[7] = private_chat(7)
    telegram.faults.answer(429, "Too Many Requests")
    bot = sender(bot_channel(telegram.url), no_file)
    try:
        assert (await refusal(bot, 7)).retry_after_seconds == RETRY_AFTER_SECONDS
    finally:
        await bot.close()


async def said(sending: Awaitable[Sent]) -> str:
    try:
        await sending
    except SendDelayed as later:
        return "soon" if 0 < (later.retry_after_seconds or 0) <= TRIAL_SECONDS else "late"
    except SendRefused:
        return "refused"
    return "sent"


async def no_file(sha256: str) -> bytes:
    raise FileNotFoundError(sha256)
