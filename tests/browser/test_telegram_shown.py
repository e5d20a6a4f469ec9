"""What the window makes of Telegram: formatted at once, forwards with their words, the limit of files, who wrote."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.flows.stage import Stage, eventually
from tests.flows.window import message, open_window, row
from tests.peers.telegram import TOKEN, TelegramServer
from tests.peers.telegram_api.bot import private_chat, user

OWNER = user(99, "Хозяин Лавки")


@contextmanager
def connected(stage: Stage) -> Iterator[TelegramServer]:
    """A bot of a Telegram of its own, which is paused in the end."""
    with TelegramServer(TOKEN.replace("4242424242", str(uuid4().int)[:10])) as telegram:
        settings = {"token": telegram.bot.token, "api_url": telegram.url}
        id_ = stage.add_channel("telegram", f"bot-{uuid4().hex[:6]}", settings)
        try:
            eventually(lambda: bool(telegram.calls("getUpdates")), 90, "a poll")
            yield telegram
        finally:
            stage.okno_json("channels", "remove", id_)


@pytest.fixture(scope="module")
def telegram(embedded: Stage) -> Iterator[TelegramServer]:
    with connected(embedded) as server:
        yield server


async def test_a_formatted_text_is_shown_formatted_at_once(
    embedded: Stage, page: Page, telegram: TelegramServer
) -> None:
    bold = {"type": "bold", "offset": 0, "length": 6}
    telegram.say(1001, 1, "Срочно: <b>привезите</b> 👍 два", entities=[bold])
    await open_window(page, embedded)
    await row(page, "Срочно").click()
    card = page.get_by_test_id("message")
    shown = card.frame_locator("iframe").locator("body")
    await expect(shown).to_have_text("Срочно: <b>привезите</b> 👍 два")
    await expect(shown.locator("b")).to_have_text("Срочно")
    await card.get_by_test_id("show-html").click()
    await expect(card.get_by_test_id("message-text")).to_have_text("Срочно: <b>привезите</b> 👍 два")


async def test_a_forwarded_message_shows_whose_it_was_and_what_it_says(
    embedded: Stage, page: Page, telegram: TelegramServer
) -> None:
    origin = {"type": "hidden_user", "sender_user_name": "Пётр", "date": int(time.time())}
    telegram.say(1002, 1, "Вот что мне ответили", forward_origin=origin)
    await open_window(page, embedded)
    await row(page, "Вот что мне ответили").click()
    card = page.get_by_test_id("message")
    await expect(card.get_by_test_id("form-fields")).to_contain_text("Пётр")
    await expect(card.get_by_test_id("message-text")).to_have_text("Вот что мне ответили")
    await expect(page.get_by_test_id("timeline-entry").first).to_contain_text("Вот что мне ответили")


async def test_a_file_larger_than_telegram_gives_says_so(embedded: Stage, page: Page, telegram: TelegramServer) -> None:
    large = {"file_id": "x", "file_unique_id": "x", "file_name": "видео.mov", "file_size": 30 * 1024 * 1024}
    telegram.bot.files["x"] = bytes(21 * 1024 * 1024)
    telegram.say(1003, 1, "", caption="Смотрите видео", document=large)
    await open_window(page, embedded)
    await row(page, "Смотрите видео").click()
    state = page.get_by_test_id("message").get_by_test_id("attachment-state")
    await expect(state).to_contain_text("20 MB")


async def test_an_owner_who_answers_from_the_account_itself_is_no_client_and_nobody_waits(
    embedded: Stage, page: Page, telegram: TelegramServer
) -> None:
    telegram.say(1004, 1, "Вы открыты?", business_connection_id="bc")
    await open_window(page, embedded)
    await row(page, "Вы открыты?").click()
    await expect(row(page, "Вы открыты?")).to_have_attribute("data-unanswered", "true")
    telegram.say(1004, 2, "Да, до восьми", business_connection_id="bc", **{"from": OWNER})
    card = message(page, "Да, до восьми", "outbound")
    await expect(card.locator("header")).to_contain_text("From the account itself")
    await expect(card.get_by_test_id("form-fields")).to_contain_text("Хозяин Лавки")
    await expect(row(page, "Да, до восьми")).to_have_attribute("data-unanswered", "false")


async def test_the_client_sees_that_an_operator_writes_and_the_operator_that_the_client_has_blocked_the_bot(
    embedded: Stage, page: Page, telegram: TelegramServer
) -> None:
    telegram.say(1005, 1, "Напишите мне")
    await open_window(page, embedded)
    await row(page, "Напишите мне").click()
    await page.get_by_test_id("reply-text").press_sequentially("Пишу")
    await telegram.until(lambda: (1005, "typing") in telegram.bot.actions)
    change = {"chat": private_chat(1005), "from": user(1005), "date": int(time.time())}
    member, kicked = {"user": telegram.bot.me, "status": "member"}, {"user": telegram.bot.me, "status": "kicked"}
    blocked = {**change, "old_chat_member": member, "new_chat_member": {**kicked, "until_date": 0}}
    await asyncio.to_thread(telegram.push, "my_chat_member", blocked)
    await expect(page.get_by_test_id("cannot-reply")).to_contain_text("blocked the bot")
    await expect(page.locator("[data-testid=timeline-entry][data-kind=reach]")).to_contain_text("blocked the bot")
    await expect(page.get_by_test_id("identity-blocked")).to_contain_text("blocked the bot")
