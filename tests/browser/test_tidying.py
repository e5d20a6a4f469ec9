"""Conversations put right by keys: merged and taken apart, split from a message on; an answer says what it answers."""

import asyncio
from uuid import uuid4

from playwright.async_api import Page, Route, expect

from tests.flows.mails import first_mail
from tests.flows.stage import SUPPORT, Stage
from tests.flows.window import answer, expect_delivery, message, open_window, row


async def two_forms(stage: Stage) -> tuple[str, str]:
    """One client fills in a form twice; return what each says."""
    tag = uuid4().hex[:8]
    texts = f"first {tag}", f"second {tag}"
    for text in texts:
        await fill_in(stage, text)
    return texts


async def fill_in(stage: Stage, text: str) -> str:
    """A client, known by the last word, writes; return the conversation."""
    form = {"email": f"{text.split()[-1]}@client.example", "subject": text, "message": text}
    assert (await asyncio.to_thread(stage.post_form, form)).status_code == 200
    return str((await asyncio.to_thread(stage.conversation_with, text))["id"])


async def test_a_conversation_is_merged_by_keys_and_taken_apart_again(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    first, second = await two_forms(embedded)
    await open_window(page, embedded)
    await row(page, first).click()
    await expect(message(page, first)).to_be_visible()
    into = page.get_by_test_id("tidy-into")
    await page.keyboard.press("m")
    await expect(page.get_by_test_id("tidy-find")).to_be_focused()
    await expect(into).to_have_count(1)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    messages = page.get_by_test_id("messages")
    await expect(messages).to_contain_text(second)
    await expect(messages).to_contain_text(first)
    await expect(row(page, first.split()[1])).to_have_count(1)
    await page.keyboard.press("z")
    await expect(messages).not_to_contain_text(first)
    await expect(row(page, first.split()[1])).to_have_count(2)


async def test_the_menu_shows_what_comes_while_it_is_open(embedded: Stage, page: Page) -> None:
    tag = uuid4().hex[:8]
    await open_window(page, embedded, f"/c/{await fill_in(embedded, f'alone {tag}')}")
    await page.keyboard.press("m")
    await expect(page.get_by_test_id("tidy-none")).to_be_visible()
    await fill_in(embedded, f"not alone {tag}")
    await expect(page.get_by_test_id("tidy-into")).to_contain_text(f"not alone {tag}")
    await expect(page.get_by_test_id("tidy-find")).to_be_focused()


async def test_a_key_that_comes_before_its_conversation_waits_for_it(embedded: Stage, page: Page) -> None:
    conversation, there = await fill_in(embedded, f"slow {uuid4().hex[:8]}"), asyncio.Event()

    async def answer_late(route: Route) -> None:
        await there.wait()
        await route.continue_()

    await page.route("**/api/v1/conversations*", answer_late)
    await page.route(f"**/api/v1/conversations/{conversation}", answer_late)
    await open_window(page, embedded, f"/c/{conversation}")
    await page.keyboard.press("m")
    there.set()
    await expect(page.get_by_test_id("tidy-find")).to_be_focused()


async def test_a_merge_of_another_day_is_taken_apart_where_it_goes_on_and_where_it_came_from(
    embedded: Stage, page: Page
) -> None:
    first, second = await two_forms(embedded)
    source, target = [(await asyncio.to_thread(embedded.conversation_with, text))["id"] for text in (first, second)]
    for _ in range(2):
        merged = await asyncio.to_thread(embedded.api.post, f"/conversations/{source}/merge", json={"into": target})
        assert merged.status_code == 200
        if "/c/" not in page.url:
            await open_window(page, embedded, f"/c/{target}")
            await expect(page.get_by_test_id("messages")).to_contain_text(first)
            await page.keyboard.press("z")
            await page.get_by_test_id("tidy-apart").click()
            await expect(page.get_by_test_id("messages")).not_to_contain_text(first)
    await page.goto(f"{embedded.url}/c/{source}")
    await page.get_by_test_id("merged-undo").click()
    await expect(page.get_by_test_id("merged-banner")).to_have_count(0)
    await expect(page.get_by_test_id("messages")).to_contain_text(first)


async def test_messages_are_split_off_from_a_picked_one_on_and_put_back(embedded: Stage, page: Page) -> None:
    first, second = await two_forms(embedded)
    source, target = [(await asyncio.to_thread(embedded.conversation_with, text))["id"] for text in (first, second)]
    await asyncio.to_thread(embedded.api.post, f"/conversations/{source}/merge", json={"into": target})
    await open_window(page, embedded, f"/c/{target}")
    shown = page.get_by_test_id("message")
    await expect(shown).to_have_count(2)
    await page.keyboard.press("t")
    await expect(page.get_by_test_id("notice")).to_have_count(1)
    await page.keyboard.press("ArrowUp")
    await expect(shown.nth(1)).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(shown.nth(0)).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(shown.nth(1)).to_be_focused()
    await page.keyboard.press("t")
    await expect(shown).to_have_count(1)
    await expect(page).not_to_have_url(f"{embedded.url}/c/{target}")
    await page.get_by_test_id("notice").get_by_role("button", name="Undo").click()
    await expect(page).to_have_url(f"{embedded.url}/c/{target}")
    await expect(shown).to_have_count(2)
    await page.keyboard.press("ArrowDown")
    await expect(shown.nth(1)).to_be_focused()
    await page.keyboard.press("v")
    await expect(page.get_by_test_id("move-find")).to_be_focused()


async def test_an_answer_says_which_message_it_answers_and_leads_there(embedded: Stage, page: Page) -> None:
    text = f"which one {uuid4().hex[:8]}"
    mail = first_mail("asks@client.example", SUPPORT, text, text, f"<{uuid4().hex}@client.example>")
    await asyncio.to_thread(embedded.deliver, mail)
    conversation = await asyncio.to_thread(embedded.conversation_with, text)
    await open_window(page, embedded, f"/c/{conversation['id']}")
    await message(page, text).get_by_test_id("message-menu").click()
    await page.get_by_test_id("answer-this").click()
    await answer(page, "exactly that one")
    await expect_delivery(page, "exactly that one", "sent")
    names = message(page, "exactly that one", "outbound").get_by_test_id("in-answer-to")
    await expect(names).to_contain_text(text)
    in_timeline = page.get_by_test_id("timeline").get_by_test_id("in-answer-to")
    await expect(in_timeline).to_contain_text(text)
    await page.get_by_test_id("customer-name").click()
    await in_timeline.click()
    await expect(page).to_have_url(f"{embedded.url}/c/{conversation['id']}")
    await expect(message(page, text)).to_be_in_viewport()
