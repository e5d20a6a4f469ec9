"""Long polling against the Bot API: nothing is confirmed before it is accepted, whatever falls over meanwhile."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.channels.telegram.cursor import Place
from shared.channels.telegram.polling import Pace, Poller, WebhookWatch
from shared.clock import now
from shared.log_words import told
from tests.channels.telegram.bots import CHANNEL_ID, MemoryInlet, bot_channel
from tests.peers.telegram import TOKEN, TelegramServer
from tests.peers.telegram_api.bot import message
from tests.peers.telegram_api.http import WEBHOOK_ACTIVE

QUICK = Pace(poll_seconds=1, conflict_seconds=0.05, watch_seconds=0.05, own_webhook_seconds=0.05)


@asynccontextmanager
async def polling(
    telegram: TelegramServer, inlet: MemoryInlet, pace: Pace = QUICK
) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(Poller(bot_channel(telegram.url), inlet, pace).run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await task


async def test_messages_are_accepted_in_order_and_only_then_confirmed(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    telegram.bot.on_confirm = lambda ids: early.extend(id_ for id_ in ids if f"update/{id_}" not in _keys(inlet))
    early: list[int] = []
    ids = [telegram.say(chat, number, f"{number}") for number in range(1, 41) for chat in (1, 2, 3)]
    async with polling(telegram, inlet):
        await inlet.have(120)
        await telegram.until(lambda: telegram.bot.confirmed_ids() == ids)
    assert early == []
    for chat in ("1", "2", "3"):
        said = [p.text for p in inlet.parsed.values() if p.sender.address == chat]
        assert said == [str(number) for number in range(1, 41)]
    assert inlet.reports[-1] == (0, None)


async def test_an_update_that_cannot_be_kept_is_not_confirmed(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    first, second = telegram.say(1, 1, "good"), telegram.say(2, 2, "bad")
    inlet.fail_on = b'"bad"'
    async with polling(telegram, inlet) as task:
        with pytest.raises(OSError, match="disk full"):
            await asyncio.wait_for(asyncio.shield(task), 20)
    assert (telegram.bot.confirmed_ids(), inlet.cursor.saved) == ([], [])
    inlet.fail_on = None
    async with polling(telegram, inlet):
        await telegram.until(lambda: telegram.bot.confirmed_ids() == [first, second])
    assert sorted(inlet.texts()) == ["bad", "good"]


async def test_the_place_outlives_the_process(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    telegram.say(1, 1, "one")
    async with polling(telegram, inlet):
        await inlet.have(1)
    telegram.say(1, 2, "two")
    async with polling(telegram, inlet):
        assert await inlet.have(2) == ["one", "two"]
    assert len(inlet.items) <= 3  # the first may have come twice


async def test_an_update_of_an_unknown_kind_holds_up_nobody(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    telegram.do(lambda: telegram.bot.push("hologram", {"chat": {"id": 5, "type": "cave"}, "w": [1]}, checked=False))
    telegram.do(lambda: telegram.bot.push("message", {"message_id": "no", "chat": 7, "date": []}, checked=False))
    telegram.say(1, 1, "after")
    async with polling(telegram, inlet):
        texts = await inlet.have(3)
    assert sorted(texts) == ["[unsupported message] hologram", "[unsupported message] message", "after"]


async def test_half_a_letter_in_one_message_holds_up_nobody(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    telegram.push("message", message(1, 1, "half: \ud83d"), checked=False)
    ids = [telegram.say(1, 2, "whole")]
    async with polling(telegram, inlet):
        await inlet.have(2)
        await telegram.until(lambda: telegram.bot.confirmed_ids()[-1:] == ids)
    assert [parsed.text for parsed in inlet.parsed.values()] == ["half: ?", "whole"]


async def test_updates_given_twice_are_one(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    for number in range(1, 6):
        telegram.say(1, number, f"{number}")
    async with polling(telegram, inlet):
        await telegram.until(lambda: len(telegram.bot.confirmed_ids()) == 5)
        telegram.do(lambda: telegram.bot.redeliver(3))
        telegram.say(1, 6, "6")
        assert await inlet.have(6) == ["1", "2", "3", "4", "5", "6"]


async def test_ids_that_begin_again_below_lose_nothing(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    telegram.say(1, 1, "before")
    async with polling(telegram, inlet):
        await telegram.until(lambda: len(telegram.bot.confirmed_ids()) == 1)
        telegram.do(lambda: telegram.bot.restart_ids(1000))
        telegram.say(1, 2, "after")
        last = telegram.say(1, 3, "later")
        assert await inlet.have(3) == ["before", "after", "later"]
        await telegram.until(lambda: last in telegram.bot.confirmed_ids())


async def test_a_hole_in_the_ids_is_noted(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    first = telegram.say(1, 1, "one")
    async with polling(telegram, inlet):
        await telegram.until(lambda: len(telegram.bot.confirmed_ids()) == 1)
        telegram.do(lambda: telegram.bot.restart_ids(first + 3))
        telegram.say(1, 2, "two")
        texts = await inlet.have(3)
    lost = f"Telegram left out updates {first + 1} to {first + 2} of this bot: what they said is lost."
    assert texts == ["one", lost, "two"]


async def test_being_away_for_longer_than_telegram_keeps_updates_is_said(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    inlet.cursor.place = str(Place(5, now() - timedelta(days=2), now() - timedelta(hours=25)))
    async with polling(telegram, inlet):
        [said] = await inlet.have(1)
    assert said.startswith("Okno was away from ")
    assert "Telegram keeps updates for 24 hours" in said


async def test_a_second_poller_is_explained_and_not_fought(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    words = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    telegram.faults.answer(409, words, method="getUpdates", times=3)
    async with polling(telegram, inlet):
        await telegram.until(lambda: inlet.reports[-1:] == [(0, None)])
    assert inlet.problems == [inlet.problems[0]] * 3
    assert inlet.problems[0].startswith("Another program receives the updates of this bot")
    asked = [call.at for call in telegram.calls("getUpdates")][:4]
    assert all(after - before >= QUICK.conflict_seconds for before, after in itertools.pairwise(asked))


async def test_a_webhook_that_went_while_it_was_asked_for_is_no_other_poller(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    telegram.faults.answer(409, WEBHOOK_ACTIVE, method="getUpdates")
    async with polling(telegram, inlet):
        await telegram.until(lambda: inlet.reports[-1:] == [(0, None)])
    assert inlet.problems == []


async def test_a_webhook_of_somebody_else_is_explained_and_left_alone(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    telegram.do(lambda: setattr(telegram.bot.webhook, "url", "https://other.example/hook"))
    async with polling(telegram, inlet):
        await telegram.until(lambda: len(inlet.problems) > 1)
    assert "A webhook of this bot is set to https://other.example/hook" in inlet.problems[0]
    assert telegram.bot.webhook.url


async def test_our_own_webhook_gives_way_to_polling_without_a_loss(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    telegram.do(lambda: setattr(telegram.bot.webhook, "url", f"http://127.0.0.1:1/in/telegram/{CHANNEL_ID}"))
    telegram.say(1, 1, "waited")
    async with polling(telegram, inlet):
        assert await inlet.have(1) == ["waited"]
    assert (telegram.bot.webhook.url, inlet.problems) == ("", [])


async def test_a_webhook_of_the_mode_just_changed_to_is_not_removed_before_polling_is_stopped(
    telegram: TelegramServer,
) -> None:
    inlet, slow = MemoryInlet(), replace(QUICK, own_webhook_seconds=30)
    telegram.do(lambda: setattr(telegram.bot.webhook, "url", f"http://127.0.0.1:1/in/telegram/{CHANNEL_ID}"))
    async with polling(telegram, inlet, slow):
        await telegram.until(lambda: bool(telegram.calls("getWebhookInfo")))
    assert telegram.bot.webhook.url


async def test_a_pressed_button_stops_spinning(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    query = {"id": "q1", "from": {"id": 7, "is_bot": False, "first_name": "A"}, "chat_instance": "1", "data": "yes"}
    telegram.bot.answered_queries.append("old")
    telegram.push("callback_query", {**query, "id": "old"})
    telegram.push("callback_query", query)
    async with polling(telegram, inlet):
        await inlet.have(2)
        await telegram.until(lambda: "q1" in telegram.bot.answered_queries)


BROKEN: dict[str, Any] = {
    "a proxy's page": lambda t: t.faults.bad_gateway("getUpdates"),
    "a cut": lambda t: t.faults.cut("getUpdates"),
    "an internal error": lambda t: t.faults.answer(500, "Internal Server Error", method="getUpdates"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_telegram_that_fails_ends_the_task_which_begins_again(telegram: TelegramServer, case: str) -> None:
    inlet = MemoryInlet()
    telegram.say(1, 1, "one")
    BROKEN[case](telegram)
    async with polling(telegram, inlet) as task:
        with pytest.raises(ConnectionError, match="Telegram cannot be reached"):
            await asyncio.wait_for(asyncio.shield(task), 20)
    async with polling(telegram, inlet):
        assert await inlet.have(1) == ["one"]


async def test_the_token_is_in_no_words_of_an_error() -> None:
    """aiohttp names the address of a call where the server speaks no HTTP."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 smtp.example ESMTP\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ConnectionError, match=r"Telegram cannot be reached: .*/bot…/getMe") as failed:
            await Poller(bot_channel(url), MemoryInlet(), QUICK).run()
    assert TOKEN not in told(failed.value)


async def test_a_conflict_whose_reason_cannot_be_asked_for_is_a_broken_connection(telegram: TelegramServer) -> None:
    telegram.faults.answer(409, "Conflict: terminated by other getUpdates request", method="getUpdates")
    telegram.faults.cut("getWebhookInfo")
    with pytest.raises(ConnectionError, match="Telegram cannot be reached"):
        await asyncio.wait_for(Poller(bot_channel(telegram.url), MemoryInlet(), QUICK).run(), 20)


async def test_a_webhook_that_is_being_set_is_not_missed(telegram: TelegramServer) -> None:
    inlet, hook = MemoryInlet(), telegram.bot.webhook
    slow = replace(QUICK, own_webhook_seconds=0.5)
    task = asyncio.create_task(WebhookWatch(bot_channel(telegram.url, mode="webhook"), inlet, slow).run())
    await telegram.until(lambda: bool(telegram.calls("getWebhookInfo")))
    await telegram.until(lambda: bool(inlet.cursor.place))  # the mode may be changed back before the second look
    assert not inlet.reports
    hook.url = f"https://okno.example/in/telegram/{CHANNEL_ID}"
    await telegram.until(lambda: bool(inlet.reports))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert inlet.reports == [(0, None)]


async def test_a_token_that_was_revoked_is_explained() -> None:
    with TelegramServer("1:another") as telegram:
        inlet = MemoryInlet()
        async with polling(telegram, inlet):
            await telegram.until(lambda: bool(inlet.problems))
    assert inlet.problems[0].startswith("Telegram does not know this token any more")


async def test_flood_control_of_polling_is_obeyed(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    telegram.say(1, 1, "one")
    telegram.faults.answer(429, "Too Many Requests: retry after 1", method="getUpdates", retry_after=1)
    async with polling(telegram, inlet):
        await inlet.have(1)
    first, second = (call.at for call in telegram.calls("getUpdates")[:2])
    assert second - first >= 1


async def test_a_webhook_is_watched(telegram: TelegramServer) -> None:
    inlet = MemoryInlet()
    channel = bot_channel(telegram.url, mode="webhook")
    task = asyncio.create_task(WebhookWatch(channel, inlet, QUICK).run())
    await telegram.until(lambda: bool(inlet.problems))
    assert inlet.problems[-1].startswith("No webhook is set for this bot")
    hook = telegram.bot.webhook
    telegram.say(1, 1, "waits")
    hook.url, hook.last_error = f"https://okno.example/in/telegram/{CHANNEL_ID}", "Connection refused"
    await telegram.until(lambda: (inlet.reports[-1][0] or 0) > 0 and "cannot deliver" in str(inlet.reports[-1][1]))
    hook.last_error = ""
    await telegram.until(lambda: inlet.reports[-1] == (1, None))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


AT = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("silent_for", "ids", "gaps"),
    [
        (timedelta(0), [10, 11, 12], []),
        (timedelta(0), [12, 14], [(10, 11), (13, 13)]),
        (timedelta(days=6), [11], [(10, 10)]),
        (timedelta(days=7), [90_000], []),
        (timedelta(days=7), [90_000, 90_002], [(90_001, 90_001)]),
        (timedelta(0), [3, 4], []),
        (timedelta(0), [], []),
    ],
)
def test_a_jump_of_the_ids_is_a_gap_unless_the_bot_was_silent_for_a_week(
    silent_for: timedelta, ids: list[int], gaps: list[tuple[int, int]]
) -> None:
    place = Place.parse(str(Place(10, AT, AT)))
    assert place == Place(10, AT, AT)
    assert place.gaps(ids, AT + silent_for) == gaps


def _keys(inlet: MemoryInlet) -> set[str]:
    return {item.key for item in inlet.items}


async def test_a_thousand_updates_survive_redelivery_restarts_and_broken_receivers(telegram: TelegramServer) -> None:
    """The small form of the figure in tests/benchmarks/telegram.py."""
    inlet, early = MemoryInlet(), []
    telegram.bot.on_confirm = lambda ids: early.extend(id_ for id_ in ids if f"update/{id_}" not in _keys(inlet))
    expected = {str(chat): [f"{chat}/{number}" for number in range(1, 21)] for chat in range(1, 51)}
    telegram.do(lambda: _say_to_all(telegram))
    for piece in (200, 400, 600, 800, 1000):
        async with polling(telegram, inlet):
            await inlet.have(piece)
        telegram.do(lambda: telegram.bot.redeliver(300))
        telegram.stop()
        telegram.start()
    async with polling(telegram, inlet):
        await telegram.until(lambda: len(set(telegram.bot.confirmed_ids())) == 1000)
    said: dict[str, list[str]] = {}
    for parsed in inlet.parsed.values():
        said.setdefault(parsed.sender.address, []).append(parsed.text)
    assert said == expected
    assert early == []


def _say_to_all(telegram: TelegramServer) -> None:
    """Twenty messages from each of fifty clients, by turns."""
    for number in range(1, 21):
        for chat in range(1, 51):
            telegram.bot.push("message", message(chat, number, f"{chat}/{number}"))
