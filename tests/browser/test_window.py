"""The window over a working day: restarts, two languages, the keyboard, drafts, failed sends, a telephone's screen."""

import asyncio
from uuid import uuid4

from playwright.async_api import Page, expect

from tests.flows.stage import Stage
from tests.flows.window import answer, expect_delivery, expect_live, message, open_window, row


def write(stage: Stage, text: str, **fields: str) -> None:
    """A new client writes by the form."""
    sender = {"name": "Client", "email": f"{uuid4().hex[:12]}@example.com"}
    assert stage.post_form({**sender, "message": text, **fields}).status_code == 200


async def test_a_window_that_lost_its_server_misses_nothing_when_it_is_back(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await asyncio.to_thread(write, embedded, "before the restart")
    await open_window(page, embedded)
    await expect(row(page, "before the restart")).to_be_visible()
    okno = embedded.services[0].process
    await asyncio.to_thread(okno.kill)
    await expect(page.locator("[data-testid=live-badge][data-state=reconnecting]")).to_be_visible()
    await says_so_without_the_list(page)
    await asyncio.to_thread(embedded.start)
    await asyncio.to_thread(write, embedded, "while the window was away")
    await expect_live(page)
    await expect(row(page, "while the window was away")).to_be_visible()
    await asyncio.to_thread(write, embedded, "after the restart")
    await expect(row(page, "after the restart")).to_be_visible()
    page_errors[:] = [each for each in page_errors if "Failed to load resource" not in each and "ERR_" not in each]


async def says_so_without_the_list(page: Page) -> None:
    """On a telephone the list with its badge gives way to the conversation, on any screen to the other pages."""
    lost = page.get_by_test_id("live-lost")
    await row(page, "before the restart").click()
    await expect(lost).to_be_hidden()
    size = page.viewport_size
    assert size is not None
    await page.set_viewport_size({"width": 360, "height": 740})
    await expect(lost).to_be_visible()
    await page.set_viewport_size(size)
    await page.get_by_test_id("nav-quarantine").click()
    await expect(lost).to_be_visible()
    await page.get_by_test_id("nav-inbox").click()


async def test_the_window_speaks_russian_and_english_and_remembers_which(embedded: Stage, page: Page) -> None:
    await open_window(page, embedded)
    html = page.locator("html")
    await expect(html).to_have_attribute("lang", "en")
    await page.get_by_test_id("language").click()
    await expect(html).to_have_attribute("lang", "ru")
    await expect(page.get_by_test_id("tab-open")).to_contain_text("Открытые")
    await page.reload()
    await expect(html).to_have_attribute("lang", "ru")
    await page.get_by_test_id("language").click()
    await expect(page.get_by_test_id("tab-open")).to_contain_text("Open")


async def test_an_operator_answers_and_closes_without_a_mouse(embedded: Stage, page: Page) -> None:
    await asyncio.to_thread(write, embedded, "answer me by keyboard")
    await open_window(page, embedded)
    await expect(row(page, "answer me by keyboard")).to_be_visible()
    await page.keyboard.press("j")
    await expect(message(page, "answer me by keyboard")).to_be_visible()
    await page.keyboard.press("r")
    await expect(page.get_by_test_id("reply-text")).to_be_focused()
    await page.keyboard.type("typed, not clicked")
    await page.keyboard.press("Control+Enter")
    await expect_delivery(page, "typed, not clicked", "sent")
    await page.keyboard.press("Escape")
    await page.keyboard.press("e")
    await expect(page.locator("[data-testid=conversation][data-status=closed]")).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_test_id("help")).to_be_visible()


async def test_a_draft_is_there_after_looking_elsewhere_and_after_a_reload(embedded: Stage, page: Page) -> None:
    await asyncio.to_thread(write, embedded, "first of two drafts")
    await asyncio.to_thread(write, embedded, "second of two drafts")
    await open_window(page, embedded)
    await row(page, "first of two drafts").click()
    await expect(message(page, "first of two drafts")).to_be_visible()
    await page.get_by_test_id("reply-text").fill("not finished yet")
    await row(page, "second of two drafts").click()
    await expect(message(page, "second of two drafts")).to_be_visible()
    await expect(page.get_by_test_id("reply-text")).to_have_value("")
    await row(page, "first of two drafts").click()
    await expect(page.get_by_test_id("reply-text")).to_have_value("not finished yet")
    await page.reload()
    await expect(page.get_by_test_id("reply-text")).to_have_value("not finished yet")
    await page.get_by_test_id("reply-text").fill("")


async def test_a_refused_answer_is_shown_with_its_reason_and_goes_when_sent_again(embedded: Stage, page: Page) -> None:
    await asyncio.to_thread(write, embedded, "the first answer bounces")
    await open_window(page, embedded)
    await row(page, "the first answer bounces").click()
    await expect(message(page, "the first answer bounces")).to_be_visible()
    embedded.smtp.faults.answer(550, "5.1.1 no such mailbox here", at="rcpt")
    await answer(page, "can you read this?")
    await expect_delivery(page, "can you read this?", "failed")
    await expect(page.get_by_test_id("delivery-error")).to_contain_text("5.1.1 no such mailbox here")
    before = len(embedded.smtp.mails)
    await page.get_by_test_id("send-again").click()
    await expect_delivery(page, "can you read this?", "sent")
    assert len(embedded.smtp.mails) == before + 1


async def test_an_answer_written_while_the_server_is_away_is_sent_once_when_it_is_back(
    embedded: Stage, page: Page, page_errors: list[str]
) -> None:
    await asyncio.to_thread(write, embedded, "the server goes away now")
    await open_window(page, embedded)
    await row(page, "the server goes away now").click()
    await expect(message(page, "the server goes away now")).to_be_visible()
    before = len(embedded.smtp.mails)
    await asyncio.to_thread(embedded.services[0].process.kill)
    await answer(page, "written into the void")
    await expect(page.get_by_test_id("sending-error")).to_be_visible()
    await asyncio.to_thread(embedded.start)
    await expect_live(page)
    if await page.get_by_test_id("sending-retry").count():
        await page.get_by_test_id("sending-retry").click()
    await expect_delivery(page, "written into the void", "sent")
    await expect(message(page, "written into the void", "outbound")).to_have_count(1)
    assert len(embedded.smtp.mails) == before + 1
    page_errors[:] = [each for each in page_errors if "Failed to load resource" not in each and "ERR_" not in each]


async def test_on_a_telephone_list_and_conversation_take_turns_and_nothing_sticks_out(
    embedded: Stage, page: Page
) -> None:
    await asyncio.to_thread(write, embedded, "w" * 300 + " a word without end")
    await page.set_viewport_size({"width": 360, "height": 740})
    await open_window(page, embedded)
    await nothing_sticks_out(page)
    await row(page, "w" * 30).click()
    await expect(message(page, "a word without end")).to_be_visible()
    await expect(page.get_by_test_id("conversation-list")).to_be_hidden()
    await nothing_sticks_out(page)
    await answer(page, "short")
    await expect_delivery(page, "short", "sent")
    await page.get_by_test_id("back").click()
    await expect(page.get_by_test_id("conversation-list")).to_be_visible()


async def nothing_sticks_out(page: Page) -> None:
    wide, seen = await page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= seen
